"""Saying how similar the two texts of a pair are."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from biobert_jax.datasets.similarity import check_pairs
from biobert_jax.datasets.text_records import Record
from biobert_jax.errors import CheckpointError
from biobert_jax.inference.classify import fitting
from biobert_jax.inference.heads import params_of
from biobert_jax.inference.packed import run_packed
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.models.config import Compute
from biobert_jax.models.heads import SequenceClassifier
from biobert_jax.tasks.similarity import Scale, SimilarityCard
from biobert_jax.tasks.texts import Windowing, featurize
from biobert_jax.text.casing import warn_of_capitals
from biobert_jax.text.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True)
class Comparer:
    """A model that scores pairs, ready to be applied; see `make_comparer`.

    Attributes:
      apply: a jitted function (params, batch) -> outputs [R, N], 0 and 1 at the scale's ends.
      params: the model's.
      tokenizer: the checkpoint's.
      windowing: what of long pairs is read.
      scale: of the scores.
    """

    apply: Callable[[Any, Mapping[str, jax.Array]], jax.Array]
    params: Any
    tokenizer: Tokenizer
    windowing: Windowing
    scale: Scale


def make_comparer(checkpoint: Checkpoint, dtype: str = "float32") -> Comparer:
    """Makes a comparer of a run of experiments.similarity, or of a published model of one output.

    Raises:
      CheckpointError: it has no such output, or is of another task.
    """
    params = params_of(checkpoint, "score of pairs", ("pooler", "classifier"), "similarity")
    card, outputs = checkpoint.card, len(checkpoint.params["classifier"]["bias"])
    if (card is not None and not isinstance(card, SimilarityCard)) or outputs != 1:
        raise CheckpointError(
            f"{checkpoint.source}: is a model of the task {card.task if card else ''!r} with "
            f"{outputs} outputs; expected a run of experiments.similarity, or a published model "
            "with one output"
        )
    card = card if isinstance(card, SimilarityCard) else None
    model = SequenceClassifier(checkpoint.config, Compute(dtype), num_labels=1)

    @jax.jit
    def apply(params, batch):
        found: Any = model.apply({"params": params}, batch, deterministic=True)
        return found["logits"][..., 0]

    windows = fitting(card.windows if card else Windowing(), checkpoint)
    scale = card.scale if card else Scale()
    return Comparer(apply, params, checkpoint.make_tokenizer(), windows, scale)


def compare_texts(comparer: Comparer, records: Sequence[Record]) -> list[float]:
    """The score of each pair, on the scale of the training scores.

    A regression may say a little less than the lowest score, or more than the highest.

    Args:
      comparer: what `make_comparer` returned.
      records: pairs; their scores are not looked at.

    Raises:
      DataError: a record is no pair.
    """
    check_pairs(records)
    warn_of_capitals([record.text for record in records], comparer.tokenizer.lowercase)
    found = featurize(records, comparer.tokenizer, comparer.windowing)
    length = comparer.windowing.max_length
    said = run_packed(comparer.apply, comparer.params, found.examples, length, "sequence")
    return [comparer.scale.from_unit(float(one)) for one in said]
