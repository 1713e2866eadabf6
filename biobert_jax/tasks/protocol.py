"""What the training loop knows of a task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import flax.linen as nn
import jax
import numpy as np

from biobert_jax.input.packing import Example, Feature

Arrays = Mapping[str, jax.Array]


class Task(Protocol):
    """A way to read examples, a head, a loss and a metric.

    A task whose training examples are made while they are read also has a method
    `stream(packing, rows, own) -> grain.IterDataset`: rows without end, of which this process reads
    the streams `own` of `rows` (see `input.streams`). The loop then takes `batch.rows` of them for
    each of `train.steps` steps, and does not ask for `examples("train")`.

    Attributes:
      name: for results.json.
      model: a model of `models.heads`.
      features: how the entries of an example are laid into rows.
      predictions: what `predict` returns, and whether it is per `token` or per `sequence`.
      card: what a checkpoint of this task must carry to be used without its data; JSON-serialisable
        (architecture, vocabulary, casing, labels).
    """

    name: str
    model: nn.Module
    features: Mapping[str, Feature]
    predictions: Mapping[str, Literal["token", "sequence"]]
    card: Mapping[str, Any]

    def examples(self, split: str) -> Sequence[Example]:
        """The sequences of a split: `train`, `validation` or `test`; empty where it has none."""

    def loss_weights(self, batch: Arrays) -> dict[str, jax.Array]:
        """For each part of the loss, what its sum is divided by: a function of the batch alone.

        The loop adds these up over the global batch before it divides, so that packing, gradient
        accumulation and the number of devices do not change the loss.
        """

    def losses(self, outputs: Arrays, batch: Arrays) -> dict[str, jax.Array]:
        """For each part of the loss, its sum over the batch."""

    def predict(self, outputs: Arrays, batch: Arrays) -> dict[str, jax.Array]:
        """What evaluation needs from the device, per token [B, S, ...] or sequence [B, N, ...]."""

    def evaluate(
        self, split: str, predictions: Sequence[Mapping[str, np.ndarray]], directory: Path | None
    ) -> dict[str, Any]:
        """Scores a split and, given a directory, writes its predictions there.

        Args:
          split: as in `examples`.
          predictions: for each of the split's examples, in order, what `predict` said about it.
          directory: where prediction files go.

        Returns:
          Scores for results.json; the one that selects checkpoints is `score`'s.
        """

    def score(self, results: Mapping[str, Any]) -> float:
        """The number that a better model has more of."""
