"""Scores for numbers that pairs of texts have, and the file of predictions they come from."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from biobert_jax.evaluation.tables import write_table

logger = logging.getLogger(__name__)


def score(gold: Sequence[float], predicted: Sequence[float]) -> dict[str, float | int]:
    """Scores predicted numbers against gold ones.

    Returns:
      `pearson` and `spearman`, the correlations times 100, 0 where they are not defined (fewer than
      two pairs, or equal numbers for all of them); `mean_squared_error` and `mean_absolute_error`
      in the units of the numbers; `pairs`.

    Raises:
      ValueError: the lengths differ.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"gold has {len(gold)} numbers, predicted {len(predicted)}")
    a, b = np.asarray(gold, np.float64), np.asarray(predicted, np.float64)
    results: dict[str, float | int] = {"pearson": 0.0, "spearman": 0.0}
    if len(a) > 1 and np.ptp(a) and np.ptp(b):
        from scipy import stats  # here, since --help should not wait for it

        correlations: Any = {"pearson": stats.pearsonr(a, b), "spearman": stats.spearmanr(a, b)}
        results |= {name: 100 * float(found.statistic) for name, found in correlations.items()}
    else:
        logger.warning(
            "of %d pairs %s have the same number: correlations are not defined, and count as 0",
            len(a),
            "the gold ones" if len(a) and not np.ptp(a) else "the predicted ones",
        )
    difference = b - a
    return results | {
        "mean_squared_error": float(np.mean(difference**2)) if len(a) else 0.0,
        "mean_absolute_error": float(np.mean(np.abs(difference))) if len(a) else 0.0,
        "pairs": len(a),
    }


def write_predictions(
    path: Path, ids: Sequence[str], gold: Sequence[float], predicted: Sequence[float]
) -> None:
    """Writes `id gold predicted`, tab-separated, under a header, with all digits."""
    rows = (
        [id_, repr(float(g)), repr(float(p))]
        for id_, g, p in zip(ids, gold, predicted, strict=True)
    )
    write_table(path, ["id", "gold", "predicted"], rows)
