"""What a checkpoint says of its model, so that it can be used without the data it was trained on.

Every task has a card: a frozen dataclass beside the task that extends `Card` with its own settings.
`tasks.registry` says which task has which. It is saved with each checkpoint as JSON, with a
version; cards from before there were versions are read as version 0.
"""

import dataclasses
import reprlib
import types
from collections.abc import Mapping, Sequence
from typing import Any, Self, get_args, get_origin, get_type_hints

from biobert_jax.errors import CheckpointError, UserError
from biobert_jax.models.encoders import config_from_dict
from biobert_jax.models.protocol import EncoderConfig
from biobert_jax.tasks import registry

VERSION = 2
"""Of what is written: 1 names the encoder (`architecture.model_type`) and knows all its fields; 2
has the scored classes of relations."""

_DAMAGED = "Train again, or name another workdir"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Card:
    """What every model has: an encoder and a tokenizer.

    A subclass adds fields of str, bool, int, float, lists of strings, and dataclasses of those; it
    gives those that older checkpoints lack a default.

    Attributes:
      architecture: the encoder's sizes.
      vocabulary: the tokens in id order.
      lowercase: whether text is lower-cased before it is cut into tokens.
      labels: the names of the classifier's outputs, in order; None without a classifier.
      task: the `config.task` that trained it; empty for a converted model.
    """

    architecture: EncoderConfig
    vocabulary: Sequence[str]
    lowercase: bool
    labels: Sequence[str] | None = None
    task: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The card as JSON; `read` is the way back."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values["architecture"] = {
            "model_type": self.architecture.model_type,
            **self.architecture.to_dict(),
        }
        return {"version": VERSION} | {name: _encode(value) for name, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_dict` wrote, or a card without a version.

        Raises:
          CheckpointError: a field is missing, unknown, or of another type; the card was written by
            a later version of this program. Says which, what was found and what was expected.
        """
        values = dict(values)
        version = values.pop("version", 0)
        if not isinstance(version, int) or not 0 <= version <= VERSION:
            raise CheckpointError(
                f"the card's version is {reprlib.repr(version)}; this program reads up to "
                f"{VERSION}. Install the version that wrote the checkpoint, or a later one"
            )
        fields = get_type_hints(cls)
        if version == 0:
            values = {name: value for name, value in values.items() if name in fields}
        return _decode_fields(cls, values, "")


def read(where: str, values: Mapping[str, Any]) -> Card:
    """Reads a card of any task; one of a task that is not known here as a `Card`.

    Args:
      where: the checkpoint, for messages.
      values: the card as JSON.

    Raises:
      CheckpointError: as `Card.from_dict`.
    """
    task = values.get("task")
    entry = registry.TASKS.get(task) if isinstance(task, str) else None
    kind = registry.resolve(entry.card) if entry is not None else Card
    if kind is Card:  # an unknown task's own settings are of no use here
        known = {"version", *get_type_hints(Card)}
        values = {name: value for name, value in values.items() if name in known}
    try:
        return kind.from_dict(values)
    except CheckpointError as error:
        raise CheckpointError(f"{where}: {error}") from error


def _encode(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return list(value) if isinstance(value, tuple) else value


def _decode_fields(kind: type, values: Any, prefix: str) -> Any:
    """A dataclass from JSON; `prefix` names the fields in messages."""
    if not isinstance(values, Mapping):
        raise _wrong(prefix.rstrip("."), values, "an object")
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in values:
        if name not in fields:
            raise CheckpointError(
                f"the card has {prefix}{name}; expected only {', '.join(fields)}. {_DAMAGED}"
            )
    found = {}
    for name, field in fields.items():
        if name in values:
            found[name] = _decode(hints[name], values[name], prefix + name)
        elif field.default is dataclasses.MISSING and (
            field.default_factory is dataclasses.MISSING
        ):
            raise CheckpointError(
                f"the card has no {prefix}{name}; found {', '.join(values)}. {_DAMAGED}"
            )
    try:
        return kind(**found)
    except CheckpointError:
        raise
    except UserError as error:  # the dataclass checks its own values
        raise CheckpointError(f"the card's {prefix.rstrip('.')}: {error}. {_DAMAGED}") from error


_SIMPLE = {str: "a string", bool: "true or false", int: "an integer", float: "a number"}


def _decode(kind: Any, value: Any, name: str) -> Any:
    if kind is EncoderConfig:
        if not isinstance(value, Mapping):
            raise _wrong(name, value, "an object")
        try:
            return config_from_dict(dict(value))
        except CheckpointError as error:
            raise CheckpointError(f"the card's {name}: {error}. {_DAMAGED}") from error
    if isinstance(kind, types.UnionType):
        (inner,) = (one for one in get_args(kind) if one is not types.NoneType)
        return None if value is None else _decode(inner, value, name)
    if get_origin(kind) is Sequence:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise _wrong(name, value, "a list of strings")
        return value
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _decode_fields(kind, value, f"{name}.")
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise _wrong(name, value, _SIMPLE[kind])
    return value


def _wrong(name: str, value: Any, expected: str) -> CheckpointError:
    return CheckpointError(
        f"the card's {name} is {reprlib.repr(value)}; expected {expected}. {_DAMAGED}"
    )
