"""A run's card within the config.json of a Hugging Face folder.

The public files have no place for what a task needs beside its weights, such as windows and the
kinds of marks; without them an exported model is used with defaults. transformers keeps a key that
it does not know.
"""

import reprlib
from pathlib import Path
from typing import Any

from biobert_jax.errors import CheckpointError, at
from biobert_jax.interop.tokenizer_files import json_object
from biobert_jax.tasks import cards

KEY = "biobert_jax"
_PUBLIC = ("architecture", "vocabulary", "lowercase", "labels")
"""Fields that the folder has in files of their own."""


def card_for_export(card: cards.Card | None) -> dict[str, Any]:
    """What config.json says of a card; nothing without one, or without a task."""
    if card is None or not card.task:
        return {}
    return {KEY: {name: value for name, value in card.to_dict().items() if name not in _PUBLIC}}


def read_exported_card(config_path: Path, **public: Any) -> cards.Card | None:
    """The card that `card_for_export` put into a config.json; None where there is none.

    Args:
      config_path: of the folder.
      **public: the fields of `cards.Card` that other files of the folder say.

    Raises:
      CheckpointError: the card is damaged, or of a later version of this program.
    """
    values = json_object(config_path).get(KEY)
    if values is None:
        return None
    where = f"{at(config_path)}: {KEY}"
    if not isinstance(values, dict):
        raise CheckpointError(
            f"{where} is {reprlib.repr(values)}; expected an object. Copy the file again, or "
            "remove this entry"
        )
    architecture = public.pop("architecture")
    sizes = {"model_type": architecture.model_type, **architecture.to_dict()}
    return cards.read(where, {**values, "architecture": sizes, **public})
