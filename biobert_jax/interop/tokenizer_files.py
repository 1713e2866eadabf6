"""Vocabulary and casing out of the tokenizer files of a Hugging Face folder."""

import logging
from pathlib import Path
from typing import Any

from biobert_jax.errors import CheckpointError, DataError, at
from biobert_jax.files import read_json
from biobert_jax.interop.checkpoint import listed
from biobert_jax.text.wordpiece import SPECIAL_TOKENS, casing_from_vocabulary, load_vocabulary

logger = logging.getLogger(__name__)


def read_vocabulary(folder: Path) -> list[str]:
    """The word pieces in id order, of vocab.txt or, without it, of tokenizer.json.

    Raises:
      CheckpointError, DataError: there is neither file, or it is damaged or of another tokenizer.
    """
    if (folder / "vocab.txt").is_file():
        return list(load_vocabulary(folder / "vocab.txt"))
    path = folder / "tokenizer.json"
    tokenizer = json_object(path)
    if not tokenizer:
        raise CheckpointError(
            f"{at(folder)}: neither vocab.txt nor tokenizer.json; "
            "copy the vocabulary that the model was trained with into the folder"
        )
    try:
        model = tokenizer.get("model") or {}
        ids = dict(model.get("vocab") or {}) if model.get("type") == "WordPiece" else {}
        more = {token["content"]: token["id"] for token in tokenizer.get("added_tokens") or ()}
        ids |= more if ids else {}
        counted = sorted(ids.values()) == list(range(len(ids)))
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise CheckpointError(
            f"{at(path)}: no vocabulary could be read from it ({error!r}); expected the "
            "tokenizer.json of a BERT model, or put its vocab.txt beside it"
        ) from error
    if not ids or not counted:
        raise CheckpointError(
            f"{at(path)}: model type {model.get('type')!r} with {len(ids)} entries; expected a "
            "WordPiece vocabulary whose ids count from 0 without gaps"
        )
    vocabulary = sorted(ids, key=ids.__getitem__)
    missing = [token for token in SPECIAL_TOKENS if token not in ids]
    if missing:
        raise CheckpointError(
            f"{at(path)}: its vocabulary lacks {listed(missing)}; expected that of a BERT model"
        )
    return vocabulary


def read_casing(folder: Path, vocabulary: list[str]) -> bool:
    """Whether text is lower-cased, as the tokenizer files state, else as the pieces suggest.

    Raises:
      CheckpointError: a file is damaged, or what it states is neither true nor false.
    """
    shown = not casing_from_vocabulary(vocabulary)
    where = folder / "tokenizer_config.json"
    stated = json_object(where).get("do_lower_case")
    if stated is None:
        where = folder / "tokenizer.json"
        stated = _normalizer_lowercases(json_object(where).get("normalizer"))
    if stated is None:
        logger.info(
            "%s: no tokenizer file states the casing; lowercase=%s by its pieces", folder, shown
        )
        return shown
    if not isinstance(stated, bool):
        raise CheckpointError(
            f"{at(where)}: whether text is lower-cased is {stated!r}; expected true or false"
        )
    if stated != shown:
        logger.warning(
            "%s: the tokenizer files say lowercase=%s, which its pieces contradict", folder, stated
        )
    return stated


def _normalizer_lowercases(normalizer: Any) -> Any:
    """Whether a tokenizer.json's normalizer lowercases; None where none of its parts states it."""
    normalizer = normalizer if isinstance(normalizer, dict) else {}
    parts = [p for p in normalizer.get("normalizers") or [normalizer] if isinstance(p, dict)]
    flags = [part.get("lowercase", part.get("type") == "Lowercase" or None) for part in parts]
    return next((flag for flag in flags if flag is not None), None)


def json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no such file."""
    if not path.is_file():
        return {}
    try:
        values = read_json(path)
    except DataError as error:
        raise CheckpointError(str(error)) from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{at(path)}: expected a JSON object, found {type(values).__name__}")
    return values
