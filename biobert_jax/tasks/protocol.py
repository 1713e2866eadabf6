"""What the training loop knows of a task."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

import flax.linen as nn
import jax
import numpy as np

from biobert_jax.input.loader import Packing
from biobert_jax.input.packing import Example, Feature
from biobert_jax.input.row_streams import RowStreams
from biobert_jax.tasks.cards import Card

Arrays = Mapping[str, jax.Array]

Per = Literal["token", "sequence"]

Stream = Callable[[Packing, int, range], RowStreams]
"""(packing, rows, own) -> rows without end, of which this process reads the streams `own` of `rows`
(see `input.row_streams`)."""


class Task(Protocol):
    """A way to read examples, a head, a loss and a metric."""

    @property
    def name(self) -> str:
        """For results.json."""
        ...

    @property
    def model(self) -> nn.Module:
        """A model of `models.heads`."""
        ...

    @property
    def features(self) -> Mapping[str, Feature]:
        """How the entries of an example are laid into rows."""
        ...

    @property
    def predictions(self) -> Mapping[str, Per]:
        """What `predict` returns, and whether it is per `token` or per `sequence`."""
        ...

    @property
    def card(self) -> Card:
        """What a checkpoint of this task carries to be used without its data."""
        ...

    @property
    def stream(self) -> Stream | None:
        """Makes the training rows of a task whose examples are made while they are read.

        The loop then takes `batch.rows` of them for each of `train.steps` steps, and does not ask
        for `examples("train")`. None where those are all there before the first step, so that the
        rows of all epochs are planned.
        """
        ...

    def examples(self, split: str) -> Sequence[Example]:
        """The sequences of a split: `train`, `validation` or `test`; empty where it has none."""
        ...

    def loss_weights(self, batch: Arrays) -> dict[str, jax.Array]:
        """For each part of the loss, what its sum is divided by: a function of the batch alone.

        The loop adds these up over the global batch before it divides, so that packing, gradient
        accumulation and the number of devices do not change the loss.
        """
        ...

    def losses(self, outputs: Arrays, batch: Arrays) -> dict[str, jax.Array]:
        """For each part of the loss, its sum over the batch."""
        ...

    def predict(self, outputs: Arrays, batch: Arrays) -> dict[str, jax.Array]:
        """What evaluation needs from the device, per token [B, S, ...] or sequence [B, N, ...]."""
        ...

    def evaluate(
        self, split: str, predictions: Sequence[Mapping[str, np.ndarray]], directory: Path | None
    ) -> dict[str, Any]:
        """Scores a split and, given a directory, writes its predictions there.

        Args:
          split: as in `examples`.
          predictions: for each of the split's examples, in order, what `predict` returned for it.
          directory: where prediction files go.

        Returns:
          Scores for results.json; the one that selects checkpoints is `score`'s.
        """
        ...

    def score(self, results: Mapping[str, Any]) -> float:
        """The value to maximise when checkpoints are selected."""
        ...
