"""Another vocabulary for a checkpoint, to continue pre-training with whole domain words."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from biobert_jax.errors import CheckpointError
from biobert_jax.interop.checkpoint import Checkpoint, listed
from biobert_jax.text.basic import basic_words
from biobert_jax.text.wordpiece import SPECIAL_TOKENS, casing_from_vocabulary

_INSIDE = "##"


def change_vocabulary(
    checkpoint: Checkpoint, vocabulary: Sequence[str], lowercase: bool | None = None
) -> Checkpoint:
    """Gives a model another vocabulary, as near to the old one as its pieces allow.

    A piece that both have keeps its embedding and its output bias. A new one gets the means over
    the pieces that the old vocabulary cuts it into ([UNK]'s if it cannot), so that a word that has
    become one piece begins as the average of what it was. Everything else stays; rows that padded
    the old embedding matrix go.

    Args:
      checkpoint: the model; is not changed.
      vocabulary: the new pieces in id order.
      lowercase: whether text is lower-cased for the new vocabulary; by default as its pieces are.

    Raises:
      CheckpointError: a special token is missing, or a piece occurs twice.
    """
    vocabulary = list(vocabulary)
    missing = [token for token in SPECIAL_TOKENS if token not in vocabulary]
    if missing or len(set(vocabulary)) < len(vocabulary):
        problem = f"lacks {', '.join(missing)}" if missing else "names a piece twice"
        raise CheckpointError(
            f"the new vocabulary of {len(vocabulary)} pieces {problem}; expected each piece once, "
            f"{', '.join(SPECIAL_TOKENS)} among them, as biobert vocab train writes it"
        )
    lost = [token for token in SPECIAL_TOKENS if token not in checkpoint.vocabulary]
    if lost:
        raise CheckpointError(f"{checkpoint.source}: its vocabulary lacks {listed(lost)}")

    old = {piece: index for index, piece in enumerate(checkpoint.vocabulary)}
    sources = [old_pieces(piece, old, checkpoint.lowercase) for piece in vocabulary]
    params = dict(checkpoint.params)
    encoder = params["encoder"]
    embeddings = encoder["embeddings"]
    table = {"embedding": _means(embeddings["word_embeddings"]["embedding"], sources)}
    params["encoder"] = {**encoder, "embeddings": {**embeddings, "word_embeddings": table}}
    if "mlm" in params:
        params["mlm"] = {**params["mlm"], "bias": _means(params["mlm"]["bias"], sources)}
    config = dataclasses.replace(
        checkpoint.config, vocab_size=len(vocabulary), pad_token_id=vocabulary.index("[PAD]")
    )
    if lowercase is None:
        lowercase = not casing_from_vocabulary(vocabulary)
    return dataclasses.replace(
        checkpoint, config=config, params=params, vocabulary=vocabulary, lowercase=lowercase
    )


def old_pieces(piece: str, old: Mapping[str, int], lowercase: bool) -> list[int]:
    """The ids that the old vocabulary has for a piece: one if it has it, [UNK]'s if it has none.

    Args:
      piece: of the new vocabulary; "##" begins one that continues a word.
      old: the old vocabulary.
      lowercase: whether the old vocabulary is for lower-cased text.
    """
    if piece in old:
        return [old[piece]]
    prefix = _INSIDE if piece.startswith(_INSIDE) and len(piece) > len(_INSIDE) else ""
    text = piece.removeprefix(prefix)
    if lowercase:
        text = "".join(word.text for word in basic_words(text, lowercase=True))
    ids: list[int] = []
    start = 0
    while start < len(text):
        # Greedy, longest first, as WordPiece cuts words; a piece may begin inside of one.
        for end in range(len(text), start, -1):
            found = old.get(prefix + text[start:end])
            if found is not None:
                break
        else:
            return [old["[UNK]"]]
        ids.append(found)
        start, prefix = end, _INSIDE
    return ids or [old["[UNK]"]]


def _means(rows: np.ndarray, sources: Sequence[Sequence[int]]) -> np.ndarray:
    """The mean of the rows that each source lists [len(sources), ...]; exact where it lists one."""
    rows = np.asarray(rows)
    return np.stack(
        [rows[ids[0]] if len(ids) == 1 else rows[list(ids)].mean(axis=0) for ids in sources]
    )
