"""From a config to results.json: one run, the folds of cross-validation, or trials together."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax

from biobert_jax.errors import TrainingError
from biobert_jax.tasks.protocol import Task
from biobert_jax.training.run import train_and_evaluate
from biobert_jax.training.several import stacked as trials
from biobert_jax.training.several.folds import cross_validate, of_fold, summarise
from biobert_jax.training.several.grid import grid, wanted
from biobert_jax.training.workdir import write_json
from experiments import starting

Results = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What an experiment makes of a config; all that differs between tasks.

    Attributes:
      task: what is trained.
      initial_params: from fresh parameters to those that training starts with; None: the fresh.
      complete: adds to a run's results what the task knows besides.
    """

    task: Task
    initial_params: Callable[[Any], Any] | None
    complete: Callable[[Results], Results] = lambda results: results


Prepare = Callable[[Any], Prepared]


def train(
    config: Any, workdir: Path, prepare: Prepare, folds: Sequence[int] = ()
) -> Results | None:
    """Trains and scores what the config asks for; the same call goes on where it was interrupted.

    Args:
      config: of the experiment.
      workdir: the run's folder; folds and trials have folders of their own in it.
      prepare: from the config of one run to what it trains.
      folds: the numbers of the folds that `config.dataset.fold` asks for, if any.

    Returns:
      What results.json says; None where SIGTERM ended the run early.
    """
    starting.load.cache_clear()  # what is there now
    if wanted(config):
        results = _train_together(config, workdir, prepare, folds)
    elif folds:
        one = lambda its_config, folder: _train_once(its_config, folder, prepare)
        results = cross_validate(config, workdir, folds, one)
    else:
        return _train_once(config, workdir, prepare)
    write_results(config, workdir, results)
    return results


def _train_once(config: Any, workdir: Path, prepare: Prepare) -> Results | None:
    prepared = prepare(config)
    results = train_and_evaluate(config, prepared.task, workdir, prepared.initial_params)
    if results is not None:
        results = prepared.complete(results)
    write_results(config, workdir, results)
    return results


def _train_together(
    config: Any, workdir: Path, prepare: Prepare, folds: Sequence[int]
) -> Results | None:
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
    # Each fold once is cross-validation, told as the runs one after the other would tell it.
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
