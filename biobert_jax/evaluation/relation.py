"""Scores for relation extraction, and the file of predictions that they come from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from biobert_jax.files import write_text

_SCORES = ("precision", "recall", "f1")


def score(
    gold: Sequence[str],
    predicted: Sequence[str],
    labels: Sequence[str],
    scored: Sequence[str],
    unreached: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Scores predicted classes against gold ones.

    The rules are those of re_eval.py. With one class to score, `precision`, `recall` and `f1` are
    that class's own; with several (ChemProt: the five, `false` left out) they are micro averages
    over them. For two classes of which one is scored, `specificity` is the recall of the other.

    Args:
      gold: the class of each pair.
      predicted: the predicted class of each pair.
      labels: all classes.
      scored: those that the scores are about, among `labels`.
      unreached: for each class, how many gold relations are no pair's class, and so can never be
        found: they cross sentences, or are the second relation of a pair.

    Returns:
      `precision`, `recall`, `f1`; `specificity`; `accuracy`; `macro`, the means of the scored
      classes' scores (of all classes' where one alone is scored); `per_class`, with `support` (gold
      pairs), for all of `labels`; where relations are unreached, `all_gold`, the scores with those
      counted as missed; and `counts`. Percentages, 0-100; what would be divided by zero is 0.

    Raises:
      ValueError: the lengths differ, or a class is not among `labels`.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"gold has {len(gold)} classes, predicted {len(predicted)}")
    unknown = {*gold, *predicted, *scored} - set(labels)
    if unknown:
        raise ValueError(f"{sorted(unknown)} not among the classes {list(labels)}")
    index = {label: i for i, label in enumerate(labels)}
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, ([index[label] for label in gold], [index[p] for p in predicted]), 1)
    correct, in_gold, in_predicted = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    per_class = {
        label: {**_scores(correct[i], in_gold[i], in_predicted[i]), "support": int(in_gold[i])}
        for label, i in index.items()
    }
    chosen = [index[label] for label in scored]
    sums = [int(values[chosen].sum()) for values in (correct, in_gold, in_predicted)]
    results: dict[str, Any] = _scores(*sums)
    if len(labels) == 2 and len(scored) == 1:
        (negative,) = set(labels) - set(scored)
        results["specificity"] = per_class[negative]["recall"]
    results["accuracy"] = 100 * float(correct.sum()) / max(1, len(gold))
    averaged = scored if len(scored) > 1 else labels
    results["macro"] = {
        name: float(np.mean([per_class[label][name] for label in averaged])) for name in _SCORES
    }
    results["per_class"] = per_class
    beyond = sum((unreached or {}).get(label, 0) for label in scored)
    if beyond:
        results["all_gold"] = _scores(sums[0], sums[1] + beyond, sums[2])
    results["counts"] = {
        "pairs": len(gold),
        "gold": sums[1],
        "predicted": sums[2],
        "correct": sums[0],
        "unreached": beyond,
    }
    return results


def write_predictions(
    path: str | Path,
    ids: Sequence[str],
    gold: Sequence[str],
    predicted: Sequence[str],
    probabilities: np.ndarray,
    labels: Sequence[str],
) -> None:
    """Writes `id gold predicted` and one probability per class, tab-separated, under a header.

    Args:
      path: the file to write; its folder is created.
      ids: of each pair; tabs and line ends in them become blanks.
      gold, predicted: the classes of each pair.
      probabilities: [n, C].
      labels: [C] the classes.
    """
    lines = ["\t".join(["id", "gold", "predicted", *labels]) + "\n"]
    for id_, label, guess, row in zip(ids, gold, predicted, probabilities, strict=True):
        numbers = [f"{p:.6f}" for p in row]
        lines.append("\t".join([" ".join(id_.split()), label, guess, *numbers]) + "\n")
    write_text(path, lines)


def _scores(correct: int, gold: int, predicted: int) -> dict[str, float]:
    precision = 100 * float(correct) / float(predicted) if predicted else 0.0
    recall = 100 * float(correct) / float(gold) if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}
