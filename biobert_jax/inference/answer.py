"""Answering questions from passages, with a span head or, yes/no questions, a classifier."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from biobert_jax.datasets.squad import Question
from biobert_jax.errors import CheckpointError
from biobert_jax.inference.heads import params_of
from biobert_jax.inference.packed import run_packed
from biobert_jax.inference.questions import Asked
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.models.config import Compute
from biobert_jax.models.heads import SequenceClassifier, SpanClassifier
from biobert_jax.tasks.qa.answers import MAX_CHARACTERS, Decoding, Merged, above, merge, n_best
from biobert_jax.tasks.qa.card import KINDS, QaCard
from biobert_jax.tasks.qa.task import best_ends
from biobert_jax.tasks.qa.windows import Windowing, Windows, featurize
from biobert_jax.tasks.qa.yesno import LABELS
from biobert_jax.text.casing import warn_of_capitals
from biobert_jax.text.tokenizer import Tokenizer


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a question; of a yes/no question `yes` or `no`, which stands nowhere."""

    text: str
    probability: (
        float  # 0-1: its share of that of all answers; of yes/no the mean. `score` in files
    )
    passage: int | None = None  # `passages[passage][start:end] == text`, in characters
    start: int | None = None
    end: int | None = None


@dataclasses.dataclass(frozen=True)
class Answerer:
    """A model that answers questions, ready to be applied; see `make_answerer`.

    Attributes:
      kind: one of `KINDS`, the questions that it was trained for.
      apply: a jitted function (params, batch) -> what each sequence says: the best starts and ends,
        or for yes/no the probability of yes [R, N].
      params: the model's.
      tokenizer: the checkpoint's.
      windowing: how passages are cut.
      decoding: how answers are read off; `threshold` is that of list questions.
    """

    kind: str
    apply: Callable[[Any, Mapping[str, jax.Array]], Any]
    params: Any
    tokenizer: Tokenizer
    windowing: Windowing
    decoding: Decoding

    @property
    def type(self) -> str:
        """BioASQ's type of the questions that it answers."""
        return "factoid" if self.kind == "span" else self.kind


def make_answerer(checkpoint: Checkpoint, dtype: str = "float32") -> Answerer:
    """Makes an answerer of a run of experiments.qa, or of a published model with a span head.

    Windows, limits and the threshold of list questions are those of the run; a published model has
    run_qa.py's.

    Raises:
      CheckpointError: it has no head that answers questions.
    """
    yes_or_no = checkpoint.labels == list(LABELS) and "pooler" in checkpoint.params
    card = checkpoint.card if isinstance(checkpoint.card, QaCard) else None
    kind = card.kind if card is not None else "yesno" if yes_or_no else "span"
    compute = Compute(dtype)
    if kind not in KINDS:
        raise CheckpointError(
            f"{checkpoint.source}: answers questions of the kind {kind!r}; expected one of "
            f"{', '.join(KINDS)}. Name a run of experiments.qa"
        )
    decoding = card.decoding if card is not None else Decoding()
    if kind == "yesno":
        params = params_of(checkpoint, "yes/no classifier", ("pooler", "classifier"), "qa")
        model = SequenceClassifier(checkpoint.config, compute)

        def read(outputs: Any, batch: Any) -> Any:
            return jax.nn.softmax(outputs["logits"])[..., LABELS.index("yes")]
    else:
        params = params_of(checkpoint, "span head", ("span",), "qa")
        model = SpanClassifier(checkpoint.config, compute)

        def read(outputs: Any, batch: Any) -> Any:
            return best_ends(outputs, decoding.n_best, batch)

    @jax.jit
    def apply(params, batch):
        return read(model.apply({"params": params}, batch, deterministic=True), batch)

    tokenizer = checkpoint.make_tokenizer()
    return Answerer(kind, apply, params, tokenizer, _windowing(checkpoint), decoding)


def _windowing(checkpoint: Checkpoint) -> Windowing:
    if isinstance(checkpoint.card, QaCard):
        return checkpoint.card.windows
    length = min(Windowing.max_length, checkpoint.config.max_position_embeddings)
    return Windowing(length, length // 3, length // 6)  # of 384 pieces, run_qa.py's 128 and 64


def answer(
    answerer: Answerer, questions: Sequence[Asked], top: int | None = None
) -> list[list[Answer]]:
    """Answers questions.

    Passages are read in windows; the answers of a question's passages are put together as for
    BioASQ: probabilities are added up over texts that differ in case only.

    Args:
      answerer: what `make_answerer` returned.
      questions: with any number of passages of any length.
      top: at most so many answers; by default five (the run's decoding.top), and for list questions
        all above the threshold. Of a list question it gives the best, whatever the threshold.

    Returns:
      For each question its answers, best first, none where no passage has one; of a yes/no question
      one, the mean over its windows, or none where it has no passage.
    """
    read = [text for question in questions for text in (question.text, *question.passages)]
    warn_of_capitals(read, answerer.tokenizer.lowercase)
    pairs = [
        Question(question.id, question.text, passage)
        for question in questions
        for passage in question.passages
    ]
    windows = featurize(pairs, answerer.tokenizer, answerer.windowing)
    said = run_packed(
        answerer.apply,
        answerer.params,
        windows.examples,
        answerer.windowing.max_length,
        kind="sequence",
    )
    ends = np.cumsum([len(question.passages) for question in questions])
    ranges = [
        (int(end) - len(question.passages), int(end))
        for end, question in zip(ends, questions, strict=True)
    ]
    if answerer.kind == "yesno":
        return [_yes_or_no(windows, said, *of_question) for of_question in ranges]
    found = n_best([pair.context for pair in pairs], windows, said, answerer.decoding)
    # The limit is BioASQ's; the best span of a passage may be longer.
    limit = math.inf if answerer.kind == "span" else MAX_CHARACTERS
    return [_chosen(answerer, merge(found[a:b], limit), top) for a, b in ranges]


def _chosen(answerer: Answerer, merged: Sequence[Merged], top: int | None) -> list[Answer]:
    total = sum(one.probability for one in merged)
    if top is not None:
        merged = merged[:top]
    elif answerer.kind == "list":
        merged = above(merged, answerer.decoding.threshold)
    else:
        merged = merged[: answerer.decoding.top]
    return [
        Answer(text, probability / total, passage, start, end)
        for text, probability, passage, start, end in merged
    ]


def _yes_or_no(windows: Windows, said: Sequence[Any], first: int, last: int) -> list[Answer]:
    own = np.flatnonzero((windows.question >= first) & (windows.question < last))
    if not len(own):
        return []
    yes = float(np.mean([said[int(e)] for e in own]))
    return [Answer("yes", yes) if yes >= 0.5 else Answer("no", 1 - yes)]
