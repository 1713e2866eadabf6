"""From a config to results.json: one run, the folds of cross-validation, or trials together."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from biobert_jax.errors import TrainingError
from biobert_jax.launcher import start
from biobert_jax.launcher.checks import check_devices, check_settings
from biobert_jax.tasks import registry
from biobert_jax.tasks.preparation import Prepared
from biobert_jax.training.run import train_and_evaluate
from biobert_jax.training.several import stacked as trials
from biobert_jax.training.several.folds import cross_validate, of_fold, summarise
from biobert_jax.training.several.grid import grid, wanted
from biobert_jax.training.workdir import write_json

Results = dict[str, Any]


def run(config: Any, workdir: Path) -> Results | None:
    """Trains and scores what the config asks for, and prints the scores; returns as `train`."""
    results = train(config, workdir)
    if results is not None:
        registry.resolve(registry.find(config.task).print_scores)(results)
    return results


def train(config: Any, workdir: Path) -> Results | None:
    """Trains and scores what the config asks for; the same call resumes an interrupted run.

    Args:
      config: `task` and what it needs.
      workdir: the run's folder; folds and trials have folders of their own in it.

    Returns:
      What results.json says; None where SIGTERM ended the run early.

    Raises:
      UserError: a setting has no such value, the data or the checkpoint cannot be read, or training
        cannot continue.
    """
    check_settings(config)
    check_devices(config)
    start.load.cache_clear()  # a checkpoint may have changed since the last run of this process
    entry = registry.find(config.task)
    folds = registry.resolve(entry.folds)(config) if entry.folds else ()
    if wanted(config):
        results = _train_together(config, workdir, folds)
    elif folds:
        results = cross_validate(config, workdir, folds, _train_once)
    else:
        return _train_once(config, workdir)
    write_results(config, workdir, results)
    return results


def prepare(config: Any) -> Prepared:
    """What the config's task makes of it."""
    start_from = functools.partial(start.start, config)
    return registry.resolve(registry.find(config.task).prepare)(config, start_from)


def _train_once(config: Any, workdir: Path) -> Results | None:
    prepared = prepare(config)
    results = train_and_evaluate(config, prepared.task, workdir, prepared.initial_params)
    if results is not None:
        results = prepared.complete(results)
    write_results(config, workdir, results)
    return results


def _train_together(config: Any, workdir: Path, folds: Sequence[int]) -> Results | None:
    if bool(folds) != config.trials.folds:
        raise TrainingError(
            f"config.trials.folds is {config.trials.folds} and the dataset has "
            f"{f'{len(folds)} folds' if folds else 'no folds'} to run; "
            + ("set it, or name one in config.dataset.fold" if folds else "leave it out")
        )
    asked = grid(config, folds)
    prepared = {fold: prepare(of_fold(config, fold)) for fold in folds} or {None: prepare(config)}
    together = [
        trials.Trial(name, one, prepared[fold].task, prepared[fold].initial_params)
        for name, fold, one in asked
    ]
    done = trials.train_trials(config, together, workdir)
    if done is None:
        return None
    # Each fold once is cross-validation: results are those of running folds one by one.
    kind = "folds" if folds and len(asked) == len(folds) else "trials"
    said = []
    for (name, fold, one), results in zip(asked, done, strict=True):
        results = prepared[fold].complete(results)
        write_results(one, workdir / name, results)
        entry = {} if fold is None else {"fold": fold}
        if kind == "trials":
            entry |= {"trial": name, "seed": one.seed}
            entry |= {"learning_rate": one.optimizer.learning_rate}
        said.append(entry | results)
    means, spread = {}, {}  # the spread is the last split's: the test's where there is one
    for split in ("validation", "test"):
        if all(split in results for results in said):
            means[split], spread = summarise([results[split] for results in said])
    return {**means, "spread": spread, kind: said}


def write_results(config: Any, workdir: Path, results: Results | None) -> None:
    """Writes results.json, from the first process."""
    if results is None or jax.process_index() != 0:
        return
    seeds = list(config.trials.seeds)
    head = {"task": config.task, "dataset": config.dataset.name, "seed": seeds or config.seed}
    write_json(workdir / "results.json", head | results)
