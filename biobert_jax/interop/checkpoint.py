"""What a published checkpoint holds once read, and the checks that every format shares."""

import dataclasses
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from biobert_jax.errors import CheckpointError, at
from biobert_jax.interop.layout import Params, Shape
from biobert_jax.models.config import BertConfig
from biobert_jax.models.protocol import EncoderConfig
from biobert_jax.tasks.cards import Card
from biobert_jax.text.tokenizer import Tokenizer
from biobert_jax.text.wordpiece import WordPieceTokenizer

logger = logging.getLogger(__name__)

_SHOWN = 8
"""Names in one message; a file of another model would list hundreds."""


TOKENIZERS: dict[str, Callable[[Sequence[str], bool], Tokenizer]] = {
    BertConfig.model_type: WordPieceTokenizer
}
"""From vocabulary and casing to the tokenizer, by the encoder's `model_type`."""


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """A pre-trained or fine-tuned encoder from anywhere, in our parameter layout."""

    config: EncoderConfig
    params: Params
    """`encoder`, and those of `interop.layout.HEADS` that the file has; float32 numpy arrays."""
    vocabulary: list[str]
    """Word pieces by id; embedding rows beyond them are padding."""
    lowercase: bool
    """Whether text is lowercased and stripped of accents before it is cut into pieces."""
    labels: list[str] | None
    """Names of the `classifier`'s outputs, in order; None without a classifier."""
    source: str
    """Folder, hub id or prefix it was read from, for messages and logs."""
    card: Card | None = None
    """The card of a run of ours, from its workdir or an exported folder; None for others."""

    def make_tokenizer(self) -> Tokenizer:
        """The tokenizer that the model was trained with.

        Raises:
          CheckpointError: none is known for this kind of encoder.
        """
        kind = self.config.model_type
        if kind not in TOKENIZERS:
            raise CheckpointError(
                f"{self.source}: no tokenizer is known for the encoder {kind!r}; expected one in "
                "TOKENIZERS of interop/checkpoint.py"
            )
        return TOKENIZERS[kind](self.vocabulary, self.lowercase)


def check_tensors(
    where: str | os.PathLike[str], found: Mapping[str, Shape], expected: Mapping[str, Shape]
) -> None:
    """Compares the tensors of a file with those that its configuration calls for, by name.

    Raises:
      CheckpointError: tensors are missing, misshapen or extra; names them (all at once, so that
        one look tells a wrong number of layers from a damaged file).
    """
    missing = [f"{name} {list(shape)}" for name, shape in expected.items() if name not in found]
    misshapen = [
        f"{name} (expected {list(expected[name])}, found {list(shape)})"
        for name, shape in found.items()
        if name in expected and tuple(shape) != tuple(expected[name])
    ]
    extra = [f"{name} {list(shape)}" for name, shape in found.items() if name not in expected]
    faults = [
        f"{kind}: {listed(names)}"
        for kind, names in (("missing", missing), ("misshapen", misshapen), ("extra", extra))
        if names
    ]
    if faults:
        raise CheckpointError(
            f"{at(where)}: the tensors do not fit the configuration beside them; "
            f"{'; '.join(faults)}. Check that both belong to the same BERT model"
        )


def check_values(where: str | os.PathLike[str], tensors: Mapping[str, np.ndarray]) -> None:
    """Checks that weights are finite floating-point numbers; one pass over each tensor.

    A NaN in one weight makes every output NaN, and integers pass for weights without an error:
    both would give a model that finds nothing.

    Args:
      where: what was read, for the message.
      tensors: by the names that the file has for them.

    Raises:
      CheckpointError: names the tensors that are not, with their type or how many values are bad.
    """
    faults = [
        f"{name} ({fault})" for name, tensor in tensors.items() if (fault := _fault_of(tensor))
    ]
    if faults:
        raise CheckpointError(
            f"{at(where)}: weights that cannot be used: {listed(faults)}; expected finite "
            "floating-point numbers. Copy or download the model again, or save an earlier "
            "checkpoint of its training"
        )


def _fault_of(tensor: np.ndarray) -> str | None:
    # bfloat16 is ml_dtypes', whose kind is not "f". Its 8-bit types are no weights without scales.
    if tensor.dtype.kind != "f" and tensor.dtype.name != "bfloat16":
        return f"type {tensor.dtype.name}"
    # A sum is finite where all values are, unless it overflows; it needs no array of flags.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.add.reduce(tensor, axis=None)):
            return None
    bad = tensor.size - np.count_nonzero(np.isfinite(tensor))
    return f"{bad:,} of {tensor.size:,} values are NaN or infinite" if bad else None


def listed(names: Iterable[str]) -> str:
    """The names with commas, the later ones of a long list as a count."""
    names = list(names)
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def check_vocabulary(where: str | os.PathLike[str], vocabulary: Sequence[str], rows: int) -> None:
    """Compares the vocabulary with the embedding matrix of `rows` rows.

    Checkpoints trained on tensor cores often carry an embedding matrix padded with unused rows to a
    multiple of 8, 64 or 128. Such a matrix is accepted as it is; the padding is logged.

    Raises:
      CheckpointError: more pieces than rows, or fewer where the rows are no such padding.
    """
    pieces = len(vocabulary)
    if pieces == rows:
        return
    if rows % 8 == 0 and 0 < rows - pieces < 128:
        logger.info(
            "%s: %d pieces; the other %d embedding rows are padding", where, pieces, rows - pieces
        )
        return
    raise CheckpointError(
        f"{at(where)}: {pieces} vocabulary entries, but the embedding matrix has {rows} rows; "
        "use the vocabulary that the model was trained with"
    )
