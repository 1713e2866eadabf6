"""From a config to results.json: one run, the folds of cross-validation, or trials together."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from biobert_jax.errors import TrainingError
from biobert_jax.files import to_path, write_json
from biobert_jax.launcher import start
from biobert_jax.launcher.checks import check_devices, check_settings
from biobert_jax.reports.model_card import write_model_card
from biobert_jax.tasks import registry
from biobert_jax.tasks.preparation import Prepared
from biobert_jax.training.metrics import write_scores
from biobert_jax.training.run import train_and_evaluate
from biobert_jax.training.several.folds import cross_validate, of_fold, summarise
from biobert_jax.training.several.grid import grid, wanted
from biobert_jax.training.several.stacked import Trial, train_trials
from biobert_jax.training.workdir import resumed_with

Results = dict[str, Any]
OWN_DATA = "own"  # the `dataset.name` of configs/*/own.py


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
        results = _train_stacked(config, workdir, folds)
    elif folds:
        results = cross_validate(config, workdir, folds, _train_fold)
    else:
        results = _train_once(config, workdir)
    return write_results(config, workdir, results)


def prepare(config: Any) -> Prepared:
    """The task and initial parameters of a config, and what was found out about these devices."""
    facts: dict[str, Any] = {}

    def start_from(training_texts):
        started = start.start(config, training_texts)
        facts.update(started.facts)
        return started

    prepared = registry.resolve(registry.find(config.task).prepare)(config, start_from)
    return dataclasses.replace(prepared, facts=facts)


def _train_once(config: Any, workdir: Path) -> Results | None:
    prepared = prepare(config)
    results = train_and_evaluate(
        config, prepared.task, workdir, prepared.initial_params, prepared.facts
    )
    return None if results is None else prepared.complete(results)


def _train_fold(config: Any, workdir: Path) -> Results | None:
    results = _train_once(config, workdir)
    write_results(config, workdir, results)
    return results


def _train_stacked(config: Any, workdir: Path, folds: Sequence[int]) -> Results | None:
    if bool(folds) != config.trials.folds:
        raise TrainingError(
            f"config.trials.folds is {config.trials.folds} and the dataset has "
            f"{f'{len(folds)} folds' if folds else 'no folds'} to run; "
            + ("set it, or name one in config.dataset.fold" if folds else "leave it out")
        )
    combinations = grid(config, folds)
    prepared: dict[int | None, Prepared] = {
        fold: prepare(of_fold(config, fold)) for fold in folds
    } or {None: prepare(config)}
    trials = [
        Trial(name, one, prepared[fold].task, prepared[fold].initial_params)
        for name, fold, one in combinations
    ]
    done = train_trials(config, trials, workdir)
    if done is None:
        return None
    # Each fold once is cross-validation: results are those of running folds one by one.
    kind = "folds" if folds and len(combinations) == len(folds) else "trials"
    entries = []
    for (name, fold, one), results in zip(combinations, done, strict=True):
        results = prepared[fold].complete(results)
        write_results(one, workdir / name, results)
        entry = {} if fold is None else {"fold": fold}
        if kind == "trials":
            entry |= {"trial": name, "seed": one.seed}
            entry |= {"learning_rate": one.optimizer.learning_rate}
        entries.append(entry | results)
    return (
        {**means_and_spread(entries), "folds": entries}
        if kind == "folds"
        else (summarise_trials(entries))
    )


def summarise_trials(trials: Sequence[Results]) -> Results:
    """Results of several runs: each of them, and mean and spread over those of one setting.

    Runs of one learning rate differ in seed and fold only; a mean over rates would describe no
    model.

    Args:
      trials: a run's results each, with its `learning_rate`.

    Returns:
      `trials`; `settings`, per learning rate the number of `trials`, the mean scores of each split
      and their sample standard deviations under `spread`. With one rate, its means and the spread
      of its last split are at the top as well, as for folds.
    """
    rates = list(dict.fromkeys(one["learning_rate"] for one in trials))
    settings = []
    for rate in rates:
        same = [one for one in trials if one["learning_rate"] == rate]
        scores = means_and_spread(same, every_split=True)
        settings.append({"learning_rate": rate, "trials": len(same)} | scores)
    top = means_and_spread(trials) if len(rates) == 1 else {}
    return {**top, "settings": settings, "trials": list(trials)}


def means_and_spread(runs: Sequence[Results], every_split: bool = False) -> Results:
    """Means of each split that all runs have, and the `spread` of the last split or of each."""
    means, spreads = {}, {}
    for split in ("validation", "test"):
        if all(split in results for results in runs):
            means[split], spreads[split] = summarise([results[split] for results in runs])
    last = next(reversed(spreads.values()), {})
    return {**means, "spread": spreads if every_split else last}


def write_results(config: Any, workdir: Path, results: Results | None) -> Results | None:
    """Adds what identifies a run, and writes results.json from the first process."""
    if results is None:
        return None
    results = _head(config) | results
    if jax.process_index() == 0:
        # Those who compare runs shall see that rounding may differ.
        changed = resumed_with(workdir)
        record = results | ({"resumed_with": changed} if changed else {})
        write_json(workdir / "results.json", record)
        write_scores(workdir, results)
        if config.task == "pretraining":
            write_model_card(workdir, workdir)
    return results


def _head(config: Any) -> Results:
    dataset = config.dataset
    path = dataset.get("path", "")
    # A set of one's own is named after its folder.
    name = to_path(path).resolve().name if dataset.name == OWN_DATA and path else dataset.name
    head = {"task": config.task, "dataset": name, "seed": list(config.trials.seeds) or config.seed}
    if path:
        head["path"] = path
    if config.task != "pretraining":  # whose corpora have no splits
        head["trained_on"] = dataset.get("train_on", "train").split("+")
    return head
