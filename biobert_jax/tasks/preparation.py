"""What a task's `prepare` receives and what it returns; `tasks.registry` lists the functions."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from biobert_jax.models.config import Compute
from biobert_jax.models.protocol import EncoderConfig
from biobert_jax.tasks.cards import Card
from biobert_jax.tasks.protocol import Task
from biobert_jax.text.tokenizer import Tokenizer

AnyCard = TypeVar("AnyCard", bound=Card)
Params = Any
Results = dict[str, Any]


class Start(Protocol):
    """The encoder that a run starts from; `launcher.start.Start` is the implementation.

    Attributes:
      architecture: its sizes, with the config's dropout.
      tokenizer: that of the checkpoint, or of the config.
      compute: how the model is computed on these devices.
    """

    architecture: EncoderConfig
    tokenizer: Tokenizer
    compute: Compute

    def card(self, card: type[AnyCard], /, **own: Any) -> AnyCard:
        """A card of this kind for the encoder and its tokenizer, with the task's own fields."""
        ...

    def initial_params(
        self, labels: Sequence[str] | None = None
    ) -> Callable[[Params], Params] | None:
        """A function from fresh parameters to those that training starts with; None for random."""


Starter = Callable[[Callable[[], Iterable[str]]], Start]
"""Resolves `config.init`, given a function that returns the texts to train a vocabulary on."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A task that is ready to train.

    Attributes:
      task: what is trained.
      initial_params: from fresh parameters to those that training starts with; None: the fresh.
      complete: adds to a run's results what the task knows besides.
      facts: what environment.json shall say of this start.
    """

    task: Task
    initial_params: Callable[[Params], Params] | None
    complete: Callable[[Results], Results] = lambda results: results
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
