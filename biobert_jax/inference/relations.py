"""Classifying pairs of entities that are marked in sentences."""

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from biobert_jax.datasets.relation_files import RelationExample
from biobert_jax.errors import CheckpointError, DataError
from biobert_jax.inference.heads import params_of
from biobert_jax.inference.packed import run_packed
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.models.config import Compute
from biobert_jax.models.heads import SequenceClassifier
from biobert_jax.tasks.relation import RelationCard, Windowing, featurize
from biobert_jax.text.casing import warn_of_capitals
from biobert_jax.text.entity_marking import kind_of_mark
from biobert_jax.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Relation:
    """What a sentence says of its pair."""

    label: str
    probability: float  # of the label, 0-1; `score` in files
    probabilities: dict[str, float]  # of all classes, in the order of the classifier's outputs


@dataclasses.dataclass(frozen=True)
class RelationClassifier:
    """A model that classifies pairs, ready to be applied; see `make_classifier`.

    Attributes:
      apply: a jitted function (params, batch) -> class probabilities [R, N, C].
      params: the model's.
      tokenizer: the checkpoint's.
      labels: the names of the classes.
      windowing: what of long sentences is read.
      marking: how raw text with offsets was marked in training, `anonymise` or `wrap`.
      marks: the kinds of marks in the training sentences; empty where that is unknown.
    """

    apply: Callable[[Any, Mapping[str, jax.Array]], jax.Array]
    params: Any
    tokenizer: Tokenizer
    labels: Sequence[str]
    windowing: Windowing
    marking: str
    marks: Sequence[str] = ()


def make_classifier(checkpoint: Checkpoint, dtype: str = "float32") -> RelationClassifier:
    """Makes a classifier of a run of experiments.relation, or of a published model.

    Raises:
      CheckpointError: it has no classifier of sequences, or does not say its classes.
    """
    groups = ("pooler", "classifier")
    params = params_of(checkpoint, "classifier of sentences", groups, "relation")
    card = checkpoint.card or RelationCard(
        architecture=checkpoint.config,
        vocabulary=checkpoint.vocabulary,
        lowercase=checkpoint.lowercase,
    )
    if not isinstance(card, RelationCard) or not checkpoint.labels:
        raise CheckpointError(
            f"{checkpoint.source}: is a model of the task {card.task!r} with the classes "
            f"{', '.join(checkpoint.labels or ['unknown'])}; expected a run of "
            "experiments.relation, or a published classifier that names its classes (id2label)"
        )
    model = SequenceClassifier(checkpoint.config, Compute(dtype), num_labels=len(checkpoint.labels))

    @jax.jit
    def apply(params, batch):
        outputs: Any = model.apply({"params": params}, batch, deterministic=True)
        return jax.nn.softmax(outputs["logits"])

    windowing = card.windows
    length = min(windowing.max_length, checkpoint.config.max_position_embeddings)
    return RelationClassifier(
        apply,
        params,
        checkpoint.make_tokenizer(),
        checkpoint.labels,
        dataclasses.replace(windowing, max_length=length),
        card.marking,
        card.marks,
    )


def check_marks(classifier: RelationClassifier, sentences: Sequence[RelationExample]) -> None:
    """Compares the sentences' marks with those that the model was trained on.

    Sentences without any mark, and a model that does not say its marks, are logged.

    Raises:
      DataError: a mark is of a type that the model has never seen; names the sentence.
    """
    if not classifier.marks:
        logger.warning(
            "the model does not say which marks it was trained on: look whether they are yours"
        )
    for sentence in sentences if classifier.marks else ():
        for start, end in sentence.marks:
            kind = kind_of_mark(sentence.text[start:end])
            if not is_known(kind, classifier.marks):
                raise DataError(
                    f"{sentence.where}: found the mark {kind}; the model was trained on "
                    f"{', '.join(classifier.marks)}, and what it says of others means nothing. "
                    "Mark entities as there, or train on sentences with this mark"
                )
    unmarked = [sentence.where for sentence in sentences if not sentence.marks]
    if unmarked:
        logger.warning(
            "%d of %d sentences have no mark that is known, such as @GENE$ (the first: %s)",
            len(unmarked),
            len(sentences),
            unmarked[0],
        )


def is_known(kind: str, marks: Sequence[str]) -> bool:
    """Whether training had a mark, or, for two overlapping entities, those of both types."""
    if kind in marks:
        return True
    opening, types, closing = kind[0], kind[1:-1], kind[-1]
    parts = types.split("-")
    return any(
        {f"{opening}{'-'.join(some)}{closing}" for some in (parts[:i], parts[i:])} <= set(marks)
        for i in range(1, len(parts))
    )


def classify(
    classifier: RelationClassifier, sentences: Sequence[RelationExample]
) -> list[Relation]:
    """Classifies sentences; of one that is too long, what is nearest to its marks is read.

    Args:
      classifier: what `make_classifier` returned.
      sentences: marked as the training sentences were; their labels are not looked at.
    """
    texts = [sentence.text for sentence in sentences]
    warn_of_capitals(texts, classifier.tokenizer.lowercase)
    marks = [sentence.marks for sentence in sentences]
    found = featurize(texts, marks, None, classifier.tokenizer, classifier.windowing)
    said = run_packed(
        classifier.apply,
        classifier.params,
        found.examples,
        classifier.windowing.max_length,
        kind="sequence",
    )
    return [_relation(classifier.labels, probabilities) for probabilities in said]


def _relation(labels: Sequence[str], probabilities: np.ndarray) -> Relation:
    by_label = dict(zip(labels, map(float, probabilities), strict=True))
    label = max(by_label, key=by_label.__getitem__)
    return Relation(label, by_label[label], by_label)
