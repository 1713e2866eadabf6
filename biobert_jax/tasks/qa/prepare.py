"""From a config to a question answering task: spans of passages, or yes and no."""

import dataclasses
from typing import Any

from biobert_jax.datasets.qa import load_splits
from biobert_jax.datasets.repeated import count_repeated
from biobert_jax.models.heads import SequenceClassifier, SpanClassifier
from biobert_jax.tasks.preparation import Prepared, Starter
from biobert_jax.tasks.qa.answers import Decoding
from biobert_jax.tasks.qa.card import QaCard
from biobert_jax.tasks.qa.task import QaTask
from biobert_jax.tasks.qa.windows import Windowing
from biobert_jax.tasks.qa.yesno import LABELS, YesNoTask
from biobert_jax.text.casing import warn_of_capitals


def prepare(config: Any, start_from: Starter) -> Prepared:
    """The questions of a config's kind, and the model that answers them.

    Args:
      config: dataset, windows, decoding, model.dropout.
      start_from: resolves `config.init`.

    Raises:
      DataError: the data cannot be read.
    """
    splits = load_splits(**config.dataset)
    asked = {split: [(q.text, q.context) for q in qs] for split, qs in splits.questions.items()}
    facts = {"data": {"repeated_questions": count_repeated(asked, "questions with their passages")}}
    texts = list(dict.fromkeys(t for q in splits.questions["train"] for t in (q.context, q.text)))
    start = start_from(lambda: texts)
    warn_of_capitals(texts, start.tokenizer.lowercase)
    windowing = Windowing(**config.windows)
    kind = config.dataset.kind
    card = start.card(QaCard, kind=kind, windows=windowing, decoding=Decoding(**config.decoding))
    if kind == "yesno":
        head = {"classifier_dropout": config.model.dropout}
        model = SequenceClassifier(start.architecture, start.compute, **head)
        card = dataclasses.replace(card, labels=list(LABELS))
        task = YesNoTask(splits, start.tokenizer, model, windowing, card)
        return Prepared(task, start.initial_params(LABELS), lambda results: results | facts)
    model = SpanClassifier(start.architecture, start.compute)
    task = QaTask(splits, kind, start.tokenizer, model, windowing, card.decoding, card)
    return Prepared(task, start.initial_params(), lambda results: with_tuned(results) | facts)


def with_tuned(results: dict[str, Any]) -> dict[str, Any]:
    """Adds a threshold found after the last checkpoint was written, whose card has another."""
    found = results.get("validation", {}).get("threshold")
    return results if found is None else results | {"tuned": {"decoding": {"threshold": found}}}
