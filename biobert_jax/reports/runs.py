"""Finished runs on disk: one folder, folders of seeds, folds or trials, a whole tree of them."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from biobert_jax.errors import DataError, at
from biobert_jax.files import read_json, to_path, walk

RESULTS = "results.json"
CONFIG = "config.json"

SAME_METHOD = (
    *("seed", "trials", "log_every", "checkpoint", "loader", "profile", "distributed", "mesh"),
    *("search_space", "dataset.path", "dataset.fold", "upload_every"),
)
"""Settings whose values do not make another method of a run."""

_NOT_RUNS = ("checkpoints", "tensorboard", "predictions", "profile")
_MAX_DEPTH = 12


class Run(NamedTuple):
    """A run, or a cross-validation as one.

    Attributes:
      path: its folder.
      name: what the user calls the folder that it was found in; "" where they do not.
      task, dataset, seed: as results.json says.
      results: the content of results.json.
      config: of config.json; {} where there is none.
      parts: the folders with predictions: its own, or its folds'.
    """

    path: Path
    name: str
    task: str
    dataset: str
    seed: int
    results: dict[str, Any]
    config: dict[str, Any]
    parts: tuple[Path, ...]

    def scores(self, split: str) -> dict[str, Any]:
        """What results.json says of a split; {} where it was not scored."""
        return as_object(self.results.get(split))

    def section(self, name: str) -> dict[str, Any]:
        """A section of the config, such as `dataset`; {} where there is none."""
        return as_object(self.config.get(name))


class Found(NamedTuple):
    """The runs below some folders, and a message for each folder that looks like one and is not."""

    runs: list[Run]
    problems: list[str]


def as_object(value: Any) -> dict[str, Any]:
    """A JSON object; {} for whatever else a file holds."""
    return value if isinstance(value, dict) else {}


def named(argument: str) -> tuple[str, Path]:
    """Takes `[NAME=]PATH` apart; a path that exists as a whole has no name."""
    name, mark, path = argument.partition("=")
    if mark and name and not to_path(argument).exists() and "/" not in name:
        return name, to_path(path)
    return "", to_path(argument)


def find_runs(arguments: Sequence[str]) -> Found:
    """Finds the finished runs in folders, in the order of their paths.

    Args:
      arguments: `[NAME=]PATH`: workdirs, or folders that hold workdirs at any depth.

    Raises:
      DataError: a path is no folder.
    """
    found = Found([], [])
    for argument in arguments:
        name, path = named(argument)
        if not path.is_dir():
            raise DataError(
                f"{at(path)}: no such folder; expected a run's workdir, or a folder of workdirs"
            )
        for folder in _candidates(path):
            try:
                found.runs.extend(_read(folder, name))
            except DataError as error:
                found.problems.append(str(error))
    unique = {run.path.resolve(): run for run in found.runs}
    return Found(list(unique.values()), found.problems)


def without_searches(found: Found) -> Found:
    """Without the runs that a search chose from: they have no test score (`train.test=False`)."""
    return found._replace(
        runs=[run for run in found.runs if run.section("train").get("test") is not False]
    )


def settings(run: Run) -> dict[str, Any]:
    """The settings that make the run's method, by their dotted names."""
    return {
        name: value
        for name, value in _flat(run.config)
        if not any(name == part or name.startswith(part + ".") for part in SAME_METHOD)
        and (name, value) != ("train.test", True)  # as where an older config lacks it
    }


def label_of_init(init: str, parts: int = 1) -> str:
    """A short name for what a run started from: the last parts of a path or of a hub's id."""
    step = re.search(r"@[^/]*$", init)
    path = init[: step.start()] if step else init
    last = [part for part in re.split(r"[/\\]", path) if part]
    return ("/".join(last[-parts:]) if last else init) + (step.group() if step else "")


def short_names(inits: Iterable[str]) -> dict[str, str]:
    """For each path, or id of a hub, the fewest of its last parts that no other one ends with."""
    given = sorted(set(inits))
    out: dict[str, str] = {}
    for init in given:
        others = [other for other in given if other != init]
        for parts in range(1, init.count("/") + 2):
            out[init] = label_of_init(init, parts)
            if all(label_of_init(other, parts) != out[init] for other in others):
                break
    return out


def _candidates(top: Path) -> Iterator[Path]:
    """Folders with a results.json or a config.json; not those within such a folder."""
    base = len(top.parts)
    for path, inside, files in walk(top):
        inside.sort()
        inside[:] = [n for n in inside if n not in _NOT_RUNS and not n.startswith(".")]
        if len(path.parts) - base >= _MAX_DEPTH:
            inside.clear()
        if RESULTS in files or (CONFIG in files and "metrics.jsonl" in files):
            inside.clear()
            yield path


def _read(folder: Path, name: str) -> list[Run]:
    file = folder / RESULTS
    if not file.is_file():
        raise DataError(f"{at(folder)}: no {RESULTS}; the run is not finished. Repeat its command")
    results, config = read_json(file), _config(folder)
    if isinstance(results, dict) and "seed" not in results and "model" in results:
        results, config = _evaluated(results)
    _check(file, results)
    seed = results["seed"]
    if "trials" in results:
        return _trials(folder, name, results)
    parts = (folder,)
    if "folds" in results:
        folds = results["folds"]
        if not isinstance(folds, list) or not folds:
            raise DataError(f"{at(file)}: folds is {folds!r:.60}; expected a list of results")
        numbers: list[Any] = [
            fold.get("fold") if isinstance(fold, dict) else None for fold in folds
        ]
        if not all(isinstance(number, int) for number in numbers):
            raise DataError(
                f"{at(file)}: the folds' numbers are {numbers!r:.60}; expected integers"
            )
        parts = tuple(_fold_folder(folder, number) for number in numbers)
    seed = seed[0] if isinstance(seed, list) else seed
    task, dataset = results["task"], results["dataset"]
    return [Run(folder, name, task, dataset, seed, results, config, parts)]


def _check(file: Path, results: Any) -> None:
    if not isinstance(results, dict):
        raise DataError(f"{at(file)}: holds {type(results).__name__}; expected an object")
    for key, types in (("task", str), ("dataset", str), ("seed", (int, list))):
        if not isinstance(results.get(key), types) or isinstance(results.get(key), bool):
            raise DataError(
                f"{at(file)}: {key} is {results.get(key)!r:.60}; expected the results.json that an "
                "experiment writes. Leave the folder out, or repeat the run's command"
            )
    seeds = results["seed"] if isinstance(results["seed"], list) else [results["seed"]]
    if not seeds or not all(isinstance(seed, int) for seed in seeds):
        raise DataError(f"{at(file)}: seed is {results['seed']!r:.60}; expected integers")
    for split in ("validation", "test"):
        scores = results.get(split, {})
        if not isinstance(scores, dict):
            raise DataError(f"{at(file)}: {split} is {scores!r:.60}; expected an object of scores")
        for measure, value in scores.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise DataError(f"{at(file)}: {split}.{measure} is {value}; expected a number")


def _config(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG
    if not file.is_file():
        return {}
    config = read_json(file)
    if not isinstance(config, dict):
        raise DataError(f"{at(file)}: holds {type(config).__name__}; expected a run's config")
    return config


def _evaluated(results: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `biobert evaluate` wrote, with the seed and the config of the run that it scored."""
    model = str(results["model"])
    try:
        config = _config(to_path(re.sub(r" \(step \d+\)$", "", model)))
    except DataError:
        config = {}
    if "seed" not in config:
        config = {"init": model, "seed": 0}
    return results | {"seed": config["seed"]}, config


def _fold_folder(folder: Path, number: int) -> Path:
    return folder / f"fold-{number:02d}"


def _trials(folder: Path, name: str, results: Mapping[str, Any]) -> list[Run]:
    """The trials' own folders; those that are folds of one seed and rate are one run together."""
    entries = results["trials"]
    if not isinstance(entries, list) or not all(
        isinstance(e, dict) and isinstance(e.get("trial"), str) for e in entries
    ):
        raise DataError(f"{at(folder / RESULTS)}: trials are not what an experiment writes")
    runs, folds = [], {}
    for entry in entries:
        trial = entry["trial"]
        if Path(trial).name != trial:
            raise DataError(f"{at(folder / RESULTS)}: trial {trial!r:.60} is no name of a folder")
        for run in _read(folder / trial, name):
            if "fold" in entry:
                folds.setdefault((run.seed, entry.get("learning_rate")), []).append((entry, run))
            else:
                runs.append(run)
    for together in folds.values():
        first = together[0][1]
        parts = tuple(run.path for _, run in together)
        tests: dict[str, Any] = {
            "folds": [run.results | {"fold": entry["fold"]} for entry, run in together]
        }
        tests["test"] = _mean([run.scores("test") for _, run in together])
        runs.append(first._replace(results=first.results | tests, parts=parts))
    return runs


def _mean(tests: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The means of the scores of folds, as a cross-validation's results.json has them."""
    number = lambda value: isinstance(value, int | float)
    names = [name for name in tests[0] if all(number(test.get(name)) for test in tests)]
    return {name: sum(test[name] for test in tests) / len(tests) for name in names}


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
