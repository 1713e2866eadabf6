"""What runs got right on each test unit (a sentence, a pair, a question), for significance tests.

A score is a function of sums: F1 of the sums of correct, gold and predicted entities, an accuracy
of the sums of right answers and of questions. So a test set as a table of counts, one row per unit,
gives the score of any resample of it by adding rows up, without tagging or matching anything again.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

Measure = Callable[[np.ndarray], np.ndarray]
"""From sums [..., K] to scores [...], 0-100; the same for any multiple of the sums."""


class Outcomes(NamedTuple):
    """What R runs of a system did on the same N test units.

    Attributes:
      counts: [R, N, K] of each run and unit.
      measure: from sums of counts to a score.
      groups: [N] integers: the score is the mean over groups (folds, BioASQ's batches) of the
        measure of their sums; all zeros where a set is scored as a whole.
    """

    counts: np.ndarray
    measure: Measure
    groups: np.ndarray

    def scores(self) -> np.ndarray:
        """[R] the score of each run."""
        return self.of_sums([self.counts[:, units].sum(1) for units in self.units()])

    def units(self) -> list[np.ndarray]:
        """For each group the indices of its units."""
        order = np.argsort(self.groups, kind="stable")
        _, starts = np.unique(self.groups[order], return_index=True)
        return np.split(order, starts[1:])

    def of_sums(self, sums: Sequence[np.ndarray]) -> np.ndarray:
        """Scores [...] of each group's sums [..., K]."""
        return np.asarray(sum(self.measure(of_group) for of_group in sums)) / len(sums)


def stack(runs: Sequence[Outcomes]) -> Outcomes:
    """Several runs on the same units as one.

    Raises:
      ValueError: their units differ in number or in group.
    """
    first = runs[0]
    for run in runs[1:]:
        if not np.array_equal(run.groups, first.groups):
            raise ValueError("runs on different test units cannot be stacked")
    return first._replace(counts=np.concatenate([run.counts for run in runs]))


def join(parts: Sequence[Outcomes]) -> Outcomes:
    """The folds of a cross-validation as one test set, whose score is the mean over the folds."""
    groups = np.repeat(np.arange(len(parts)), [len(part.groups) for part in parts])
    counts = np.concatenate([part.counts for part in parts], axis=1)
    return Outcomes(counts, parts[0].measure, groups)


def precision(sums: np.ndarray) -> np.ndarray:
    """Of the sums [..., 3] of correct, gold and predicted."""
    return 100 * _ratio(sums[..., 0], sums[..., 2])


def recall(sums: np.ndarray) -> np.ndarray:
    """Of the sums [..., 3] of correct, gold and predicted."""
    return 100 * _ratio(sums[..., 0], sums[..., 1])


def f1(sums: np.ndarray) -> np.ndarray:
    """Of the sums [..., 3] of correct, gold and predicted."""
    return 100 * _ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


def mean(sums: np.ndarray) -> np.ndarray:
    """Of the sums [..., 2] of values (0-1) and of ones."""
    return 100 * _ratio(sums[..., 0], sums[..., 1])


def macro_f1(sums: np.ndarray) -> np.ndarray:
    """The mean F1 of two classes, of the sums [..., 3] of right ones of each and of wrong ones."""
    wrong = sums[..., 2]
    both = [_ratio(2 * right, 2 * right + wrong) for right in (sums[..., 0], sums[..., 1])]
    return 100 * (both[0] + both[1]) / 2


def macro_f1_of_types(sums: np.ndarray) -> np.ndarray:
    """The mean F1 of T types, of the sums [..., 3 T] of correct, gold and predicted of each."""
    correct, gold, predicted = np.split(np.asarray(sums), 3, axis=-1)
    return 100 * _ratio(2 * correct, gold + predicted).mean(-1)


def pearson(sums: np.ndarray) -> np.ndarray:
    """Pearson's correlation, of the sums [..., 6] of ones, x, y, x y, x x and y y."""
    count = np.maximum(sums[..., 0], 1)
    x, y, xy, xx, yy = (sums[..., i] / count for i in range(1, 6))
    spread = np.sqrt(np.maximum(xx - x * x, 0) * np.maximum(yy - y * y, 0))
    return 100 * _ratio(xy - x * y, np.where(spread > 1e-12, spread, 0))


MEASURES: dict[str, Measure] = {"precision": precision, "recall": recall, "f1": f1}


def entity_counts(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> np.ndarray:
    """[N, 3] correct, gold and predicted entities of each sentence; see `evaluation.ner.score`."""
    from seqeval.metrics.sequence_labeling import get_entities

    rows = []
    for gold_tags, predicted_tags in zip(gold, predicted, strict=True):
        found, guessed = set(get_entities(list(gold_tags))), set(get_entities(list(predicted_tags)))
        rows.append((len(found & guessed), len(found), len(guessed)))
    return np.array(rows, np.float64).reshape(-1, 3)


def word_counts(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]], types: Sequence[str]
) -> np.ndarray:
    """[N, 3 T] correct, gold and predicted words of each type; see `evaluation.ner.score_words`."""
    of = lambda tags: np.array([tag[2:] if tag != "O" else None for tag in tags], object)
    rows = []
    for gold_tags, predicted_tags in zip(gold, predicted, strict=True):
        a, b = of(gold_tags), of(predicted_tags)
        rows.append([((a == t) & (b == t)).sum() for t in types])
        rows[-1] += [(a == t).sum() for t in types] + [(b == t).sum() for t in types]
    return np.array(rows, np.float64).reshape(-1, 3 * len(types))


def relation_counts(
    gold: Sequence[str], predicted: Sequence[str], scored: Sequence[str]
) -> np.ndarray:
    """[N, 3] correct, gold and predicted relations of each pair; see `relation.score`."""
    classes = set(scored)
    rows = [
        (label == guess and label in classes, label in classes, guess in classes)
        for label, guess in zip(gold, predicted, strict=True)
    ]
    return np.array(rows, np.float64).reshape(-1, 3)


def label_counts(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> np.ndarray:
    """[N, 3] correct, gold and predicted labels of each text; see `score_several`."""
    rows = [(len({*g} & {*p}), len({*g}), len({*p})) for g, p in zip(gold, predicted, strict=True)]
    return np.array(rows, np.float64).reshape(-1, 3)


def pair_counts(gold: Sequence[float], predicted: Sequence[float]) -> np.ndarray:
    """[N, 6] what `pearson` adds up of each pair; see `similarity.score`."""
    # About the mean, or the differences of large sums would lose digits.
    x = np.asarray(gold, np.float64)
    y = np.asarray(predicted, np.float64)
    x, y = x - x.mean(), y - y.mean()
    return np.stack([np.ones(len(x)), x, y, x * y, x * x, y * y], axis=1)


def question_counts(values: Sequence[float]) -> np.ndarray:
    """[N, 2] each question's value (0-1), and one."""
    return np.stack([np.asarray(values, np.float64), np.ones(len(values))], axis=1)


def yesno_counts(gold: Sequence[str], predicted: Sequence[str]) -> np.ndarray:
    """[N, 3] right as yes, right as no, wrong; see `evaluation.qa.yesno_scores`."""
    rows = [(g == p == "yes", g == p == "no", g != p) for g, p in zip(gold, predicted, strict=True)]
    return np.array(rows, np.float64).reshape(-1, 3)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """What would be divided by zero is 0, as conlleval has it."""
    whole = np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole != 0)
