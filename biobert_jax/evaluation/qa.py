"""Scores for question answering: SQuAD v1.1's and BioASQ's official measures, as percentages.

SQuAD's are those of evaluate-v1.1.py. BioASQ's are those of the official evaluator
(`EvaluatorTask1b -phaseB -e 5`), read from its source: it lower-cases both sides and compares whole
strings, blanks included; an entry of the gold `exact_answer` is a set of synonyms, of a system's
entry only the first string counts; it reads as many answers as there are, so five is for the
submission to keep to. One thing differs on purpose: the official evaluator of 2018 leaves questions
that a submission does not mention out of its means (its later versions do so with `-e 9` and fail
with `-e 5`), here they count as wrong. Submissions that mention all questions of their type, as
ours do, get the same scores from both, to the last digit (tests/evaluation/test_bioasq_official.py,
which runs the evaluator itself where it is installed).
"""

import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

FACTOID_MEASURES = ("strict_accuracy", "lenient_accuracy", "mrr")

Synonyms = Sequence[Sequence[str]]
"""A gold `exact_answer`: for each entity, what it may be called."""

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize(text: str) -> str:
    """Lower-cases, drops ASCII punctuation, then English articles, and joins words by one blank."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def squad_scores(
    gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str]
) -> dict[str, float | int]:
    """Exact match and F1 over words, each question's best over its gold answers.

    Args:
      gold: for each question id its answers, at least one.
      predicted: an answer for each question id; a question without one scores 0.

    Returns:
      `exact_match` and `f1`, means over all questions of `gold`; `questions`, `unanswered`.

    Raises:
      ValueError: a question has no gold answer; such questions are not SQuAD v1.1's.
    """
    exact, f1 = [], []
    for question, answers in gold.items():
        if not answers:
            raise ValueError(f"question {question!r} has no gold answer")
        found = predicted.get(question)
        exact.append(found is not None and max(_exact(found, a) for a in answers))
        f1.append(0.0 if found is None else max(_word_f1(found, a) for a in answers))
    return {
        "exact_match": _percent(exact),
        "f1": _percent(f1),
        "questions": len(gold),
        "unanswered": sum(question not in predicted for question in gold),
    }


def factoid_scores(
    gold: Mapping[str, Synonyms], predicted: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Strict accuracy, lenient accuracy and mean reciprocal rank over all questions of `gold`.

    Args:
      gold: for each question id its exact answer; any synonym of any entry is right.
      predicted: for each question id up to five answers, the best first.
    """
    ranks = [_rank(synonyms, predicted.get(question, ())) for question, synonyms in gold.items()]
    return {
        "strict_accuracy": _percent([rank == 1 for rank in ranks]),
        "lenient_accuracy": _percent([rank > 0 for rank in ranks]),
        "mrr": _percent([1 / rank if rank else 0.0 for rank in ranks]),
    }


def factoid_report(
    batches: Mapping[str, Mapping[str, Synonyms]], predicted: Mapping[str, Sequence[str]]
) -> dict[str, object]:
    """Factoid scores as results.json has them.

    Args:
      batches: the gold answers of each of BioASQ's rounds, by its name.
      predicted: as in `factoid_scores`.

    Returns:
      The three measures as means over the batches, as the paper gives them; `by_question`, the same
      over all questions; `batches`, a list with `name`, `questions` and the three of each batch.
    """
    rows = [
        {"name": name, "questions": len(gold), **factoid_scores(gold, predicted)}
        for name, gold in batches.items()
    ]
    everything = {q: answer for gold in batches.values() for q, answer in gold.items()}
    return {
        **{name: _mean(row[name] for row in rows) for name in FACTOID_MEASURES},
        "by_question": factoid_scores(everything, predicted),
        "batches": rows,
    }


def list_scores(
    gold: Mapping[str, Synonyms], predicted: Mapping[str, Sequence[str]]
) -> dict[str, float]:
    """Mean precision, recall and F1 over the list questions of `gold`.

    As the official evaluator counts: an answer is right if some entry that no earlier answer has
    taken has it among its synonyms; an entry left over is missed unless another answer, itself
    taken once, is among its synonyms.
    """
    scores = [_list_scores(entries, predicted.get(q, ())) for q, entries in gold.items()]
    names = ("precision", "recall", "f1")
    return {name: _percent([row[i] for row in scores]) for i, name in enumerate(names)}


def yesno_scores(gold: Mapping[str, str], predicted: Mapping[str, str]) -> dict[str, float]:
    """Accuracy, F1 of each answer and their mean `macro_f1`, over the questions of `gold`.

    Args:
      gold: "yes" or "no" by question id.
      predicted: the same, or any text. As the evaluator reads it, a text with "yes" in it is yes,
        another with "no" in it ("none", "unknown") is no; the rest, or nothing, is wrong.
    """
    right = Counter(a for q, a in gold.items() if _yes_or_no(predicted.get(q, "")) == a)
    wrong = len(gold) - right.total()
    # An error is a false negative of one class and a false positive of the other.
    f1 = {a: _ratio(2 * right[a], 2 * right[a] + wrong) for a in ("yes", "no")}
    return {
        "accuracy": 100 * _ratio(right.total(), len(gold)),
        "macro_f1": 50 * (f1["yes"] + f1["no"]),
        "f1_yes": 100 * f1["yes"],
        "f1_no": 100 * f1["no"],
    }


def _exact(predicted: str, gold: str) -> bool:
    return normalize(predicted) == normalize(gold)


def _word_f1(predicted: str, gold: str) -> float:
    found, wanted = normalize(predicted).split(), normalize(gold).split()
    same = (Counter(found) & Counter(wanted)).total()
    if not same:
        return 0.0
    precision, recall = same / len(found), same / len(wanted)
    return 2 * precision * recall / (precision + recall)


def _rank(gold: Synonyms, answers: Sequence[str]) -> int:
    """The rank from 1 of the first right answer; 0 where none is."""
    right = {synonym.lower() for synonyms in gold for synonym in synonyms}
    return next((r for r, a in enumerate(answers, start=1) if a.lower() in right), 0)


def _list_scores(gold: Synonyms, answers: Sequence[str]) -> tuple[float, float, float]:
    if not answers:
        return 0.0, 0.0, 0.0
    # The evaluator does not see entries without any name, so that none of them is missed.
    entries = [{synonym.lower() for synonym in synonyms} for synonyms in gold if synonyms]
    lowered = [answer.lower() for answer in answers]
    correct = sum(_take(entries, lambda entry, a=answer: a in entry) for answer in lowered)
    missed = sum(not _take(lowered, lambda answer, e=entry: answer in e) for entry in entries)
    precision = correct / len(answers)
    recall = _ratio(correct, correct + missed)
    f1 = _ratio(2 * precision * recall, precision + recall)
    return precision, recall, f1


def _yes_or_no(text: str) -> str | None:
    return next((answer for answer in ("yes", "no") if answer in text.lower()), None)


def _take(items: list, accept) -> bool:
    """Removes the first item that is accepted; whether there was one."""
    for i, item in enumerate(items):
        if accept(item):
            del items[i]
            return True
    return False


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _mean(values: Iterable[float]) -> float:
    # Added up one by one, as the official evaluators do: neither sum() nor fmean() rounds like that
    # in every version of Python.
    total, count = 0.0, 0
    for value in values:
        total, count = total + value, count + 1
    return _ratio(total, count)


def _percent(values: Sequence[float]) -> float:
    return 100 * _mean(values)
