"""Classification of texts and of pairs of texts: one class each, or several labels."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from biobert_jax.datasets.classification import ClassificationSet, load_classification
from biobert_jax.datasets.text_records import Record
from biobert_jax.evaluation import classification as evaluation
from biobert_jax.input.packing import IGNORED, Example, Feature
from biobert_jax.models.heads import SequenceClassifier
from biobert_jax.tasks.cards import Card
from biobert_jax.tasks.losses import binary_cross_entropy_sum, count_labels, cross_entropy_sum
from biobert_jax.tasks.preparation import Prepared, Starter
from biobert_jax.tasks.protocol import Per
from biobert_jax.tasks.texts import Featurized, Windowing, featurize
from biobert_jax.text.casing import warn_of_capitals
from biobert_jax.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

THRESHOLD = 0.5  # of several labels, those that are at least as probable are given


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClassificationCard(Card):
    """A classifier's card.

    Attributes:
      windows: what of long texts was read.
      several: whether a text has any number of labels, not one.
      paired: whether it reads pairs of texts.
    """

    task: str = "classification"
    windows: Windowing = dataclasses.field(default_factory=Windowing)
    several: bool = False
    paired: bool = False


def prepare(config: Any, start_from: Starter) -> Prepared:
    """The texts, the labels and the model of a config.

    Args:
      config: dataset, windows, model.dropout.
      start_from: resolves `config.init`.

    Raises:
      DataError: the data cannot be read.
    """
    data = load_classification(**config.dataset)
    texts = [text for r in data.splits["train"] for text in (r.text, r.second) if text]
    start = start_from(lambda: texts)
    warn_of_capitals(texts, start.tokenizer.lowercase)
    head = {"num_labels": len(data.labels), "classifier_dropout": config.model.dropout}
    model = SequenceClassifier(start.architecture, start.compute, **head)
    windows = Windowing(**config.windows)
    paired = data.splits["train"][0].second is not None
    card = start.card(
        ClassificationCard,
        labels=data.labels,
        windows=windows,
        several=data.several,
        paired=paired,
    )
    task = ClassificationTask(data, start.tokenizer, model, windows, card)
    initial = start.initial_params(data.labels)
    return Prepared(task, initial, lambda results: results | {"data": data.facts})


def probabilities_of(logits: jax.Array, several: bool) -> jax.Array:
    """Of each label, [..., C]: adding up to 1 for one class, each by itself for several labels."""
    return jax.nn.sigmoid(logits) if several else jax.nn.softmax(logits)


def given(probabilities: np.ndarray, labels: Sequence[str], several: bool) -> tuple[str, ...]:
    """The labels that probabilities [C] give: the most probable one, or all from `THRESHOLD`."""
    if several:
        return tuple(labels[int(i)] for i in np.flatnonzero(probabilities >= THRESHOLD))
    return (labels[int(probabilities.argmax())],)


class ClassificationTask:
    """Classifies texts; see `tasks.protocol.Task` for the methods.

    The loss is the mean over texts; of several labels, over texts and labels.
    """

    name = "classification"
    stream = None

    def __init__(
        self,
        data: ClassificationSet,
        tokenizer: Tokenizer,
        model: SequenceClassifier,
        windowing: Windowing,
        card: ClassificationCard,
    ):
        """Featurises the splits.

        Args:
          data: the texts, and the labels in the order of the classifier's outputs.
          tokenizer: the checkpoint's.
          model: the classifier, with as many outputs as labels.
          windowing: what of long texts is read.
          card: what checkpoints carry.

        Raises:
          UserError: a sequence is longer than the model can read.
        """
        windowing.check_fits(model.config)
        shape = (len(data.labels),) if data.several else ()
        self.predictions: dict[str, Per] = {"probabilities": "sequence"}
        self.features = {
            "input_ids": Feature("token", pad=tokenizer.pad_id),
            "token_type_ids": Feature("token"),
            "label": Feature("sequence", pad=IGNORED, shape=shape),
        }
        self.model, self.card = model, card
        self._data = data
        self._featurized: dict[str, Featurized] = {}
        for split, records in data.splits.items():
            self._featurized[split] = found = featurize(records, tokenizer, windowing)
            for example, record in zip(found.examples, records, strict=True):
                example["label"] = self._target(record)
            logger.info(
                "%s: %d texts, %d longer than %d pieces, whose ends are not read",
                split,
                len(records),
                found.cut,
                windowing.max_length,
            )

    def _target(self, record: Record) -> np.ndarray:
        there = [label in record.labels for label in self._data.labels]
        return np.array(there if self._data.several else np.argmax(there), np.int32)

    def examples(self, split: str) -> Sequence[Example]:
        featurized = self._featurized.get(split)
        return featurized.examples if featurized else []

    def loss_weights(self, batch):
        return {"labels": count_labels(batch["label"])}

    def losses(self, outputs, batch):
        loss = binary_cross_entropy_sum if self._data.several else cross_entropy_sum
        return {"labels": loss(outputs["logits"], batch["label"])}

    def predict(self, outputs, batch):
        return {"probabilities": probabilities_of(outputs["logits"], self._data.several)}

    def evaluate(self, split, predictions, directory):
        records, labels = self._data.splits[split], self._data.labels
        probabilities = np.stack([p["probabilities"] for p in predictions])
        ids = [record.id for record in records]
        gold = [record.labels for record in records]
        predicted = [given(p, labels, self._data.several) for p in probabilities]
        groups = [record.group for record in records]
        if self._data.several and all(groups):
            if directory is not None:
                path = directory / f"{split}_parts.tsv"
                evaluation.write_predictions(path, ids, gold, predicted, probabilities, labels)
            of_group: dict[str, list[int]] = {}
            for number, group in enumerate(groups):
                of_group.setdefault(group, []).append(number)
            ids = list(of_group)
            gold = list(evaluation.together(groups, gold).values())
            predicted = list(evaluation.together(groups, predicted).values())
            probabilities = np.stack([probabilities[parts].max(0) for parts in of_group.values()])
        if self._data.several:
            results = evaluation.score_several(gold, predicted, labels)
        else:
            only = lambda many: [one for (one,) in many]
            results = evaluation.score_one(only(gold), only(predicted), labels)
        found = self._featurized[split]
        results["counts"] |= {"cut_texts": found.cut, "lost_pieces": found.lost}
        if directory is not None:
            path = directory / f"{split}.tsv"
            evaluation.write_predictions(path, ids, gold, predicted, probabilities, labels)
        return results

    def score(self, results):
        return results["f1" if self._data.several else "accuracy"]
