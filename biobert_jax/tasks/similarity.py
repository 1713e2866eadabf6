"""Similarity of two texts: a number for a pair, from its [CLS]."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from biobert_jax.datasets.similarity import SimilaritySet, load_similarity
from biobert_jax.evaluation import similarity as evaluation
from biobert_jax.input.packing import Example, Feature
from biobert_jax.models.heads import SequenceClassifier
from biobert_jax.tasks.cards import Card
from biobert_jax.tasks.preparation import Prepared, Starter
from biobert_jax.tasks.protocol import Per
from biobert_jax.tasks.texts import Featurized, Windowing, featurize
from biobert_jax.text.casing import warn_of_capitals
from biobert_jax.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

OUTPUTS = ("score",)


@dataclasses.dataclass(frozen=True)
class Scale:
    """The lowest and the highest score that there can be; the model's 0 and 1."""

    low: float = 0.0
    high: float = 1.0

    def to_unit(self, score: float) -> float:
        return (score - self.low) / (self.high - self.low)

    def from_unit(self, output: float) -> float:
        return self.low + output * (self.high - self.low)


@dataclasses.dataclass(frozen=True, kw_only=True)
class SimilarityCard(Card):
    """A model of similarity's card.

    Attributes:
      windows: what of long pairs was read.
      scale: of the scores.
    """

    task: str = "similarity"
    windows: Windowing = dataclasses.field(default_factory=Windowing)
    scale: Scale = Scale()


def prepare(config: Any, start_from: Starter) -> Prepared:
    """The pairs and the model of a config.

    Args:
      config: dataset, windows, model.dropout.
      start_from: resolves `config.init`.

    Raises:
      DataError: the data cannot be read.
    """
    data = load_similarity(**config.dataset)
    texts = [text for r in data.splits["train"] for text in (r.text, r.second) if text]
    start = start_from(lambda: texts)
    warn_of_capitals(texts, start.tokenizer.lowercase)
    head = {"num_labels": 1, "classifier_dropout": config.model.dropout}
    model = SequenceClassifier(start.architecture, start.compute, **head)
    windows = Windowing(**config.windows)
    card = start.card(SimilarityCard, labels=OUTPUTS, windows=windows, scale=Scale(*data.scale))
    task = SimilarityTask(data, start.tokenizer, model, windows, card)
    initial = start.initial_params(OUTPUTS)
    return Prepared(task, initial, lambda results: results | {"data": data.facts})


class SimilarityTask:
    """Predicts scores; see `tasks.protocol.Task` for the methods.

    The loss is the mean squared error on a scale from 0 to 1, so that learning rates mean the same
    for any scale of scores.
    """

    name = "similarity"
    stream = None

    def __init__(
        self,
        data: SimilaritySet,
        tokenizer: Tokenizer,
        model: SequenceClassifier,
        windowing: Windowing,
        card: SimilarityCard,
    ):
        """Featurises the splits.

        Args:
          data: the pairs and their scale.
          tokenizer: the checkpoint's.
          model: a classifier with one output.
          windowing: what of long pairs is read.
          card: what checkpoints carry.

        Raises:
          UserError: a sequence is longer than the model can read.
        """
        windowing.check_fits(model.config)
        self.predictions: dict[str, Per] = {"score": "sequence"}
        self.features = {
            "input_ids": Feature("token", pad=tokenizer.pad_id),
            "token_type_ids": Feature("token"),
            "score": Feature("sequence", dtype="float32"),
        }
        self.model, self.card = model, card
        self._data = data
        self._featurized: dict[str, Featurized] = {}
        for split, records in data.splits.items():
            self._featurized[split] = found = featurize(records, tokenizer, windowing)
            for example, record in zip(found.examples, records, strict=True):
                example["score"] = np.asarray(card.scale.to_unit(record.score), np.float32)
            logger.info(
                "%s: %d pairs, %d longer than %d pieces, whose ends are not read",
                split,
                len(records),
                found.cut,
                windowing.max_length,
            )

    def examples(self, split: str) -> Sequence[Example]:
        featurized = self._featurized.get(split)
        return featurized.examples if featurized else []

    def loss_weights(self, batch):
        return {"score": jnp.sum(batch["sequence_index"] >= 0).astype(jnp.float32)}

    def losses(self, outputs, batch):
        error = outputs["logits"][..., 0] - batch["score"]
        return {"score": jnp.sum(jnp.where(batch["sequence_index"] >= 0, error, 0.0) ** 2)}

    def predict(self, outputs, batch):
        return {"score": outputs["logits"][..., 0]}

    def evaluate(self, split, predictions, directory):
        records = self._data.splits[split]
        gold = [record.score for record in records]
        predicted = [self.card.scale.from_unit(float(p["score"])) for p in predictions]
        results: dict[str, Any] = evaluation.score(gold, predicted)
        found = self._featurized[split]
        results["counts"] = {"cut_texts": found.cut, "lost_pieces": found.lost}
        if directory is not None:
            path = directory / f"{split}.tsv"
            evaluation.write_predictions(path, [record.id for record in records], gold, predicted)
        return results

    def score(self, results):
        return results["pearson"]
