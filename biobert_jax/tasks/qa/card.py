"""The card of a model that answers questions."""

import dataclasses

from biobert_jax.tasks.cards import Card
from biobert_jax.tasks.qa.answers import Decoding
from biobert_jax.tasks.qa.windows import Windowing

KINDS = ("span", "factoid", "list", "yesno")


@dataclasses.dataclass(frozen=True, kw_only=True)
class QaCard(Card):
    """A question answerer's card.

    Attributes:
      kind: one of `KINDS`, the questions that it was trained for.
      windows: how passages were cut.
      decoding: how answers are read off; of no effect for `yesno`.
    """

    task: str = "qa"
    kind: str = "span"
    windows: Windowing = dataclasses.field(default_factory=Windowing)
    decoding: Decoding = dataclasses.field(default_factory=Decoding)
