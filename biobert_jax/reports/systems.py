"""Which runs belong together: the seeds of one method on one set, and what to call them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from biobert_jax.errors import DataError
from biobert_jax.evaluation.significance import Summary, summarise
from biobert_jax.reports.runs import Run, settings, short_names

MEASURES = {
    "precision": "P",
    "recall": "R",
    "f1": "F1",
    "exact_match": "EM",
    "strict_accuracy": "S",
    "lenient_accuracy": "L",
    "mrr": "MRR",
    "accuracy": "Acc",
    "macro_f1": "macro F1",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "mlm_loss": "MLM loss",
    "mlm_accuracy": "MLM acc",
    "nsp_accuracy": "NSP acc",
}
"""What scores are called in results.json and in tables, in the tables' order."""

_MAIN = ("mrr", "macro_f1", "f1", "accuracy", "spearman", "pearson", "mlm_loss")
_MAIN_OF = {
    "ner": ("macro_f1", "f1"),  # the first only where words are scored, not entities
    "relation": ("f1",),
    "classification": ("f1", "accuracy"),
    "similarity": ("pearson",),
}
MAX_EXTRA = 60  # characters of a label that say in which settings a system differs
_LOWER_IS_BETTER = ("mlm_loss",)


class System(NamedTuple):
    """A method on a set.

    Attributes:
      label: what it is called: its name or its `config.init`, and settings where those differ.
      task, dataset: of its runs.
      runs: one for each seed, by seed.
      encoder: the label without settings.
    """

    label: str
    task: str
    dataset: str
    runs: tuple[Run, ...]
    encoder: str = ""

    @property
    def init(self) -> str:
        """What its runs began with."""
        return str(self.runs[0].config.get("init", ""))

    def measures(self, split: str) -> list[str]:
        """The measures that all runs have on a split, in the order of MEASURES."""
        shared = set.intersection(*(set(run.scores(split)) for run in self.runs))
        return [name for name in MEASURES if name in shared]

    def main_measure(self, split: str) -> str | None:
        """The measure that its task is judged by."""
        if self.task in _MAIN_OF:
            return next((n for n in _MAIN_OF[self.task] if n in self.measures(split)), None)
        return next((name for name in _MAIN if name in self.measures(split)), None)

    def values(self, measure: str, split: str) -> list[float]:
        """The score of each run."""
        return [float(run.scores(split)[measure]) for run in self.runs]

    def summary(self, measure: str, split: str) -> Summary:
        return summarise(self.values(measure, split))

    def split(self, asked: str) -> str:
        """The split to report: pre-training has held-out documents only, as `validation`."""
        return "validation" if self.task == "pretraining" else asked


def systems(runs: Sequence[Run]) -> list[System]:
    """Groups runs of one method and set, in the order in which they were found.

    Raises:
      DataError: two runs of a method have one seed.
    """
    own = {run.path: settings(run) for run in runs}
    groups: dict[Any, list[Run]] = {}
    for run in runs:
        key = (run.task, run.dataset, run.name, _frozen(own[run.path]))
        groups.setdefault(key, []).append(run)
    groups = {
        (*key, path): apart
        for key, together in groups.items()
        for path, apart in _apart(together).items()
    }
    short = short_names(map(_init, runs))
    out = []
    for (task, dataset, *_), together in groups.items():
        first = together[0]
        base = _base(first, short)
        alike = [
            other[0]
            for (its_task, its_dataset, *_), other in groups.items()
            if (its_task, its_dataset) == (task, dataset) and _base(other[0], short) == base
        ]
        differing = _differing([own[run.path] for run in alike])
        mine = own[first.path]
        extra = [f"{key.rpartition('.')[2]}={_shown(mine.get(key))}" for key in differing]
        label = ", ".join([base, *extra])
        folders = ("/".join(first.path.parts[-2:]), str(first.path))
        taken = {s.label for s in out if (s.task, s.dataset) == (task, dataset)}
        for folder in folders:
            if label in taken or len(label) > len(base) + MAX_EXTRA:  # the folder says it better
                label = f"{base} ({folder})"
        out.append(System(label, task, dataset, tuple(together), base))
    return out


def differing_settings(a: Run, b: Run) -> list[tuple[str, Any, Any]]:
    """Settings in which the methods of two runs differ."""
    first, second = settings(a), settings(b)
    return [(name, first.get(name), second.get(name)) for name in _differing([first, second])]


def alike(a: System, b: System) -> bool:
    """Whether two systems differ in what they began with only."""
    first, second = (settings(s.runs[0]) for s in (a, b))
    return {**first, "init": ""} == {**second, "init": ""}


def differences(many: Sequence[System]) -> list[str]:
    """For each system the settings in which these differ, `train_limit=500`, init left out."""
    own = [{**settings(system.runs[0]), "init": ""} for system in many]
    names = _differing(own)
    return [
        ", ".join(f"{name.rpartition('.')[2]}={_shown(one.get(name))}" for name in names)
        for one in own
    ]


def better(measure: str, a: float, b: float) -> bool:
    """Whether a score a is better than b."""
    return a < b if measure in _LOWER_IS_BETTER else a > b


def _init(run: Run) -> str:
    return str(run.config.get("init") or run.config.get("converted_from") or run.path.name)


def _apart(together: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs of one method by seed; where a seed occurs twice, those of each `dataset.path` apart.

    Raises:
      DataError: two runs of a method and of one path have one seed.
    """
    seeds = [run.seed for run in together]
    if len(set(seeds)) == len(seeds):
        return {"": sorted(together, key=lambda run: run.seed)}
    out: dict[str, list[Run]] = {}
    for run in sorted(together, key=lambda run: run.seed):
        of_path = out.setdefault(str(run.section("dataset").get("path")), [])
        if of_path and of_path[-1].seed == run.seed:
            raise DataError(
                f"{of_path[-1].path} and {run.path}: the same settings, data and seed {run.seed}; "
                "a run counts once. Leave one of them out"
            )
        of_path.append(run)
    return out


def _base(run: Run, short: dict[str, str]) -> str:
    """What a run's systems are called: of pre-training its folder, which others begin with."""
    if run.name:
        return run.name
    return run.path.name if run.task == "pretraining" else short[_init(run)]


def _differing(many: Sequence[dict[str, Any]]) -> list[str]:
    names = sorted({name for one in many for name in one})
    return [name for name in names if len({_frozen(one.get(name)) for one in many}) > 1]


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(sorted((name, _frozen(v)) for name, v in value.items()))
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return repr(value)


def _shown(value: Any) -> str:
    return "unset" if value is None else str(value)
