"""Scores for texts with a class or several labels, and the file of predictions they come from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from biobert_jax.evaluation.tables import write_table

BETWEEN = "|"  # labels of one text in a file of predictions

Labels = Sequence[str]


def score_one(gold: Sequence[str], predicted: Sequence[str], labels: Labels) -> dict[str, Any]:
    """Scores one class per text.

    Args:
      gold, predicted: the class of each text.
      labels: all classes.

    Returns:
      `accuracy`; `macro_f1`, the mean F1 over all of `labels`; `per_class` with `precision`,
      `recall`, `f1` and `support`; `most_frequent`, the `accuracy` of always giving the class that
      these texts have most often; and `counts`. Percentages, 0-100; what would be divided by zero
      is 0.

    Raises:
      ValueError: the lengths differ, or a class is not among `labels`.
    """
    per_class = _per_label([{g} for g in gold], [{p} for p in predicted], labels)
    right = sum(g == p for g, p in zip(gold, predicted, strict=True))
    most = max(labels, key=lambda label: per_class[label]["support"])
    return {
        "accuracy": 100 * right / max(1, len(gold)),
        "macro_f1": float(np.mean([one["f1"] for one in per_class.values()])),
        "per_class": per_class,
        "most_frequent": {
            "label": most,
            "accuracy": 100 * per_class[most]["support"] / max(1, len(gold)),
        },
        "counts": {"texts": len(gold), "correct": right},
    }


def score_several(
    gold: Sequence[Labels], predicted: Sequence[Labels], labels: Labels
) -> dict[str, Any]:
    """Scores a set of labels per text, or per group of texts.

    Args:
      gold, predicted: the labels of each text.
      labels: all labels.

    Returns:
      `precision`, `recall` and `f1`, micro averages over all labels: each label of a text counts
      once, and a text without labels counts by what is wrongly given to it; `macro_f1`, the mean F1
      over `labels`; `exact_match`, the share of texts whose labels are all right; `per_class` and
      `counts` as `score_one`. Percentages.

    Raises:
      ValueError: the lengths differ, or a label is not among `labels`.
    """
    sets = [set(g) for g in gold], [set(p) for p in predicted]
    per_class = _per_label(*sets, labels)
    pairs = list(zip(*sets, strict=True))
    correct = sum(len(g & p) for g, p in pairs)
    sums = correct, sum(len(g) for g, _ in pairs), sum(len(p) for _, p in pairs)
    return {
        **_scores(*sums),
        "macro_f1": float(np.mean([one["f1"] for one in per_class.values()])),
        "exact_match": 100 * sum(g == p for g, p in pairs) / max(1, len(pairs)),
        "per_class": per_class,
        "counts": dict(zip(("correct", "gold", "predicted"), sums, strict=True))
        | {"texts": len(pairs)},
    }


def together(groups: Sequence[str], given: Sequence[Labels]) -> dict[str, tuple[str, ...]]:
    """The labels of each group: all that one of its texts has (BLURB's rule for HoC's abstracts).

    Args:
      groups: of each text.
      given: the labels of each text.
    """
    out: dict[str, dict[str, None]] = {}
    for group, labels in zip(groups, given, strict=True):
        out.setdefault(group, {}).update(dict.fromkeys(labels))
    return {group: tuple(labels) for group, labels in out.items()}


def write_predictions(
    path: Path,
    ids: Sequence[str],
    gold: Sequence[Labels],
    predicted: Sequence[Labels],
    probabilities: np.ndarray,
    labels: Labels,
) -> None:
    """Writes `id gold predicted` and one probability per label, tab-separated, under a header.

    Several labels of a text have `|` between them.

    Args:
      path: the file to write; its folder is created.
      ids: of each text or group.
      gold, predicted: their labels.
      probabilities: [n, C].
      labels: [C] all labels.
    """
    joined = lambda given: BETWEEN.join(label for label in labels if label in given)
    rows = (
        [id_, joined(g), joined(p), *(f"{value:.6f}" for value in row)]
        for id_, g, p, row in zip(ids, gold, predicted, probabilities, strict=True)
    )
    write_table(path, ["id", "gold", "predicted", *labels], rows)


def _per_label(
    gold: Sequence[set[str]], predicted: Sequence[set[str]], labels: Labels
) -> dict[str, dict[str, float]]:
    if len(gold) != len(predicted):
        raise ValueError(f"gold has {len(gold)} texts, predicted {len(predicted)}")
    unknown = set().union(*gold, *predicted) - set(labels)
    if unknown:
        raise ValueError(f"{sorted(unknown)} not among the labels {list(labels)}")
    out: dict[str, dict[str, float]] = {}
    for label in labels:
        in_gold, in_predicted = (np.array([label in one for one in s]) for s in (gold, predicted))
        sums = (in_gold & in_predicted).sum(), in_gold.sum(), in_predicted.sum()
        out[label] = {**_scores(*map(int, sums)), "support": int(sums[1])}
    return out


def _scores(correct: int, gold: int, predicted: int) -> Mapping[str, float]:
    return {
        "precision": 100 * correct / predicted if predicted else 0.0,
        "recall": 100 * correct / gold if gold else 0.0,
        "f1": 200 * correct / (gold + predicted) if gold + predicted else 0.0,
    }
