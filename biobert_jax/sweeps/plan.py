"""A sweep: named runs of any experiment, which may depend on each other.

A sweep file (configs/sweeps/) has two functions: `get_config(variant)`, the sweep's own settings,
and `get_runs(config)`, which yields a `SweepRun` for each run.
"""

import dataclasses
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from biobert_jax.errors import UserError

_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*(/[A-Za-z0-9][\w.+-]*)*")
REFERENCE = re.compile(r"\{([^{}]*)\}")


EVALUATE = "evaluate"
"""The `config` of a run that scores a model and trains nothing."""


class SweepError(UserError):
    """A sweep cannot be run as it is written."""


@dataclasses.dataclass(frozen=True)
class Choose:
    """Settings taken from the best of some runs, for a run that depends on them.

    Attributes:
      among: names of the runs to choose from.
      settings: dotted names of the settings that the best one passes on.
      by: path of the score in results.json, larger is better. A choice on `test` is refused.
    """

    among: tuple[str, ...]
    settings: tuple[str, ...]
    by: str = "validation.f1"


@dataclasses.dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Attributes:
      name: its folder in the sweep's workdir, such as `ncbi/seed-1`.
      config: the config file below configs/, with a variant if any: `ner/ncbi_disease:debug`; or
        `EVALUATE`, whose settings are the options of `biobert evaluate`.
      settings: by dotted name. In a string, `{NAME}` is the folder of the run NAME, which then
        runs first; `{NAME}@500` is its checkpoint of step 500.
      choose: settings to take from the best of other runs.
      after: names of further runs that must finish first.
    """

    name: str
    config: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    choose: Choose | None = None
    after: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the runs that must finish first, without repeats."""
        texts = [value for value in self.settings.values() if isinstance(value, str)]
        named = [name for text in texts for name in REFERENCE.findall(text)]
        return tuple(
            dict.fromkeys([*named, *(self.choose.among if self.choose else ()), *self.after])
        )


def ordered(runs: Iterable[SweepRun]) -> list[SweepRun]:
    """The runs in an order in which each follows all that it needs; otherwise as given.

    Raises:
      SweepError: a name twice or not a folder's, an unknown dependency, a cycle, a choice on test.
    """
    by_name: dict[str, SweepRun] = {}
    for run in runs:
        if not _NAME.fullmatch(run.name):
            raise SweepError(
                f"sweep: {run.name!r} is not a name for a run; expected letters, digits and _.+- "
                "in parts separated by /, such as 'ncbi/seed-1'"
            )
        if run.name in by_name:
            raise SweepError(f"sweep: two runs are called {run.name!r}; give each its own name")
        if run.choose and not run.choose.among:
            raise SweepError(f"sweep: {run.name} chooses among no run; name at least one")
        if run.choose and run.choose.by.split(".")[0] == "test":
            raise SweepError(
                f"sweep: {run.name} chooses by {run.choose.by!r}; choices are made on validation, "
                "so that the test set is read once"
            )
        by_name[run.name] = run
    if not by_name:
        raise SweepError("sweep: get_runs gives no run; expected at least one")
    for run in by_name.values():
        for other in by_name:
            if run.name.startswith(other + "/"):
                raise SweepError(f"sweep: {run.name} would be a folder within the run {other}")
        for name in run.needs:
            if name not in by_name:
                near = difflib.get_close_matches(name, by_name, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise SweepError(f"sweep: {run.name} needs {name!r}, which is no run of it{hint}")

    done: dict[str, SweepRun] = {}
    waiting = dict(by_name)
    while waiting:
        ready = [run for run in waiting.values() if all(name in done for name in run.needs)]
        if not ready:
            raise SweepError(f"sweep: these runs need each other: {' -> '.join(_cycle(waiting))}")
        for run in ready:
            done[run.name] = waiting.pop(run.name)
    return list(done.values())


def _cycle(waiting: Mapping[str, SweepRun]) -> list[str]:
    """Names around a cycle; every waiting run needs another waiting one."""
    path = [next(iter(waiting))]
    while True:
        name = next(name for name in waiting[path[-1]].needs if name in waiting)
        if name in path:
            return [*path[path.index(name) :], name]
        path.append(name)


def select(runs: Sequence[SweepRun], patterns: Sequence[str]) -> list[SweepRun]:
    """The runs whose name matches one of some shell patterns; all without patterns.

    Raises:
      SweepError: a pattern matches none.
    """
    import fnmatch

    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(run.name, pattern) for run in runs):
            names = ", ".join(run.name for run in runs[:8])
            raise SweepError(f"--only={pattern}: no run has that name; the sweep has {names}, ...")
    if not patterns:
        return list(runs)
    return [run for run in runs if any(fnmatch.fnmatchcase(run.name, p) for p in patterns)]


def resolved(
    settings: Mapping[str, Any], folder_of: Callable[[str], str | Path], chosen: Mapping[str, Any]
) -> dict[str, Any]:
    """Settings with folders in the place of `{NAME}`, and chosen settings besides.

    Args:
      settings: of a run.
      folder_of: from a run's name to its folder.
      chosen: from `choose`; they take precedence.
    """
    put = lambda text: REFERENCE.sub(lambda match: str(folder_of(match[1])), text)
    done = {name: put(v) if isinstance(v, str) else v for name, v in settings.items()}
    return done | dict(chosen)


def best_of(choose: Choose, results: Mapping[str, Mapping[str, Any]]) -> str:
    """The name of the run with the highest score; the first of equals.

    Args:
      choose: what to compare.
      results: results.json of each run, by name.

    Raises:
      SweepError: a run has no such score.
    """
    scores = {}
    for name in choose.among:
        value: Any = results[name]
        for part in choose.by.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        if not isinstance(value, int | float) or value != value:
            raise SweepError(
                f"sweep: results.json of {name} has no number at {choose.by!r}; "
                "train on train alone, so that there is a validation set to choose on"
            )
        scores[name] = value
    return max(scores, key=scores.__getitem__)
