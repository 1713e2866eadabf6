"""Giving labels to texts, or to pairs of texts."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from biobert_jax.datasets.text_records import Record
from biobert_jax.errors import CheckpointError, DataError
from biobert_jax.inference.heads import params_of
from biobert_jax.inference.packed import run_packed
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.models.config import Compute
from biobert_jax.models.heads import SequenceClassifier
from biobert_jax.tasks.classification import ClassificationCard, given, probabilities_of
from biobert_jax.tasks.texts import Windowing, featurize
from biobert_jax.text.casing import warn_of_capitals
from biobert_jax.text.tokenizer import Tokenizer


class Classified(NamedTuple):
    """What a model says of a text.

    Attributes:
      labels: the most probable class alone; or, of several labels, all that it gives, perhaps none.
      probabilities: of all labels, 0-1, in the order of the classifier's outputs.
    """

    labels: tuple[str, ...]
    probabilities: dict[str, float]


@dataclasses.dataclass(frozen=True)
class TextClassifier:
    """A model that classifies texts, ready to be applied; see `make_text_classifier`.

    Attributes:
      apply: a jitted function (params, batch) -> probabilities [R, N, C].
      params: the model's.
      tokenizer: the checkpoint's.
      labels: their names.
      windowing: what of long texts is read.
      several: whether a text has any number of labels, not one.
      paired: whether it reads pairs; None where the model does not say.
    """

    apply: Callable[[Any, Mapping[str, jax.Array]], jax.Array]
    params: Any
    tokenizer: Tokenizer
    labels: Sequence[str]
    windowing: Windowing
    several: bool
    paired: bool | None


def make_text_classifier(checkpoint: Checkpoint, dtype: str = "float32") -> TextClassifier:
    """Makes a classifier of a run of experiments.classification, or of a published model.

    A published model is taken to give one class to a text.

    Raises:
      CheckpointError: it has no classifier of sequences, is of another task, or does not say its
        labels.
    """
    groups = ("pooler", "classifier")
    params = params_of(checkpoint, "classifier of texts", groups, "classification")
    card = checkpoint.card
    known = isinstance(card, ClassificationCard)
    if (card is not None and not known) or not checkpoint.labels:
        raise CheckpointError(
            f"{checkpoint.source}: is a model of the task {card.task if card else ''!r} with the "
            f"labels {', '.join(checkpoint.labels or ['unknown'])}; expected a run of "
            "experiments.classification, or a published classifier that names its labels (id2label)"
        )
    several = isinstance(card, ClassificationCard) and card.several
    windows = card.windows if isinstance(card, ClassificationCard) else Windowing()
    model = SequenceClassifier(checkpoint.config, Compute(dtype), num_labels=len(checkpoint.labels))

    @jax.jit
    def apply(params, batch):
        outputs: Any = model.apply({"params": params}, batch, deterministic=True)
        return probabilities_of(outputs["logits"], several)

    return TextClassifier(
        apply,
        params,
        checkpoint.make_tokenizer(),
        checkpoint.labels,
        fitting(windows, checkpoint),
        several,
        card.paired if isinstance(card, ClassificationCard) else None,
    )


def fitting(windows: Windowing, checkpoint: Checkpoint) -> Windowing:
    """Windows that are no longer than a model can read."""
    length = min(windows.max_length, checkpoint.config.max_position_embeddings)
    return dataclasses.replace(windows, max_length=length)


def classify_texts(classifier: TextClassifier, records: Sequence[Record]) -> list[Classified]:
    """Classifies texts; what they are labelled with is not looked at.

    Args:
      classifier: what `make_text_classifier` returned.
      records: texts, or pairs of texts, as the model was trained on.

    Raises:
      DataError: pairs for a model of single texts, or the other way round.
    """
    if records and classifier.paired not in (None, records[0].second is not None):
        expected = "pairs (`text` and `second`)" if classifier.paired else "single texts"
        raise DataError(
            f"{records[0].where}: the model was trained on {expected}; what it says of "
            f"{'single texts' if classifier.paired else 'pairs'} means nothing"
        )
    warn_of_capitals([record.text for record in records], classifier.tokenizer.lowercase)
    found = featurize(records, classifier.tokenizer, classifier.windowing)
    length = classifier.windowing.max_length
    said = run_packed(classifier.apply, classifier.params, found.examples, length, "sequence")
    return [
        Classified(
            given(one, classifier.labels, classifier.several),
            dict(zip(classifier.labels, map(float, one), strict=True)),
        )
        for one in said
    ]
