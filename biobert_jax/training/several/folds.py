"""Cross-validation: one run per fold, and the means and spread of their scores."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ml_collections
import numpy as np

from biobert_jax.errors import TrainingError
from biobert_jax.training import workdir as workdirs
from biobert_jax.training.saved import read_results

logger = logging.getLogger(__name__)

Results = dict[str, Any]
HEAD = ("task", "dataset", "seed", "path", "trained_on", "resumed_with")
"""What results.json says besides what a run returned; the same for all folds."""
COUNTS = ("counts", "support", "questions", "unanswerable", "unanswered")
SCORED = (int, float, dict)


def cross_validate(
    config: ml_collections.ConfigDict,
    workdir: Path,
    folds: Sequence[int],
    run_fold: Callable[[ml_collections.ConfigDict, Path], Results | None],
) -> Results | None:
    """Runs what is left of the folds, each in a folder of its own, `fold-01` and so on.

    Every fold starts from `config.init` and has `config.dataset.fold` for its number. One whose
    results.json exists is not run again; an interrupted one is resumed.

    Args:
      config: of the whole; the workdir of another one is refused.
      workdir: where the folds' folders are.
      folds: their numbers.
      run_fold: trains and scores in a folder, and writes its results.json.

    Returns:
      `test`, the means of the folds' scores, `spread`, their sample standard deviations, and
      `folds`, the results of each; None where SIGTERM ended a fold early.

    Raises:
      TrainingError: the workdir is another config's.
    """
    if not config.train.test:
        raise TrainingError(
            "config.train.test is False and config.dataset.fold 'all'; the folds' scores are those "
            "of their test sentences. Set train.test to True, or name one fold"
        )
    workdirs.prepare(workdir, config)
    done = []
    for fold in folds:
        folder = workdir / folder_of(fold)
        its_config = of_fold(config, fold)
        file = folder / "results.json"
        if file.is_file():
            workdirs.prepare(folder, its_config, finished=True)
            earlier = read_results(folder)
            results = {name: value for name, value in earlier.items() if name not in HEAD}
            logger.info("fold %d of %d: finished earlier", fold, len(folds))
        else:
            logger.info("fold %d of %d", fold, len(folds))
            results = run_fold(its_config, folder)
        if results is None:
            return None
        done.append({"fold": fold, **results})
    mean, spread = summarise([results["test"] for results in done])
    return {"test": mean, "spread": spread, "folds": done}


def of_fold(config: ml_collections.ConfigDict, fold: int) -> ml_collections.ConfigDict:
    """The config of a fold's run on its own."""
    one = config.copy_and_resolve_references()
    one.dataset.fold = str(fold)
    return one


def folder_of(fold: int) -> str:
    """The name of a fold's folder within the workdir."""
    return f"fold-{fold:02d}"


def summarise(tests: Sequence[Results]) -> tuple[Results, Results]:
    """Mean and sample standard deviation (0 for one fold) of every score that all folds have."""
    deviation = lambda values: float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return _over(tests, lambda values: float(np.mean(values))), _over(tests, deviation)


def _over(tests: Sequence[Results], function: Callable[[list[float]], float]) -> Results:
    out: Results = {}
    for name, value in tests[0].items():
        # What is counted or listed, not scored, has no mean that says anything.
        if name in COUNTS or not all(isinstance(test.get(name), SCORED) for test in tests):
            continue
        values = [test[name] for test in tests]
        out[name] = _over(values, function) if isinstance(value, dict) else function(values)
    return out
