"""Which pre-training run a fine-tuned system began with, and what that run had read."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from biobert_jax.errors import DataError
from biobert_jax.files import read_json, to_path
from biobert_jax.reports.runs import Run


class Corpus(NamedTuple):
    """A folder of shards that a run read.

    Attributes:
      name: of its folder.
      weight: of its text among the run's corpora.
      manifest: what its manifest.json says; {} where it is no longer there.
    """

    name: str
    weight: float
    manifest: dict[str, Any]

    @property
    def words(self) -> int | None:
        words = self.manifest.get("words")
        return words if isinstance(words, int) else None


def corpora(run: Run) -> list[Corpus]:
    """The corpora that a pre-training run read; none: the generated one."""
    out = []
    listed = run.section("dataset").get("corpora")
    for entry in listed if isinstance(listed, list) else []:
        pair = isinstance(entry, list) and len(entry) == 2
        if not pair or not isinstance(entry[1], int | float) or not entry[1]:
            continue  # with a weight of 0 it is evaluated on, not read
        folder, weight = to_path(str(entry[0])), float(entry[1])
        try:
            manifest = read_json(folder / "manifest.json")
        except DataError:  # moved or removed since; what it was called is known all the same
            manifest = {}
        out.append(Corpus(folder.name, weight, manifest if isinstance(manifest, dict) else {}))
    return out


def words_read(run: Run) -> int | None:
    """The words of the text that a run drew from: `dataset.max_words`, or all of its corpora."""
    limit = run.section("dataset").get("max_words")
    if limit and isinstance(limit, int):
        return limit
    words = [corpus.words or 0 for corpus in corpora(run)]
    return sum(words) if words and all(words) else None


def origin(init: str, runs: Sequence[Run]) -> tuple[Run, int] | None:
    """The pre-training run that a `config.init` names, and the step of its checkpoint.

    Workdirs may have moved since: the run whose path ends as `init` does, if it is the only one.
    """
    match = re.fullmatch(r"(.*?)(?:@([^@/]+))?", init)
    if match is None:  # a line end
        return None
    path, step = match.group(1), match.group(2)
    if not path or path.startswith("hf://") or path == "random":
        return None
    wanted = to_path(path)
    candidates = [run for run in runs if run.task == "pretraining"]
    same = [run for run in candidates if run.path.resolve() == wanted.resolve()]
    for length in range(len(wanted.parts), 0, -1):
        if same:
            break
        end = wanted.parts[-length:]
        same = [run for run in candidates if run.path.resolve().parts[-length:] == end]
    if len(same) != 1:
        return None
    steps = same[0].results.get("step")
    number = int(step) if step and step.isdecimal() else steps
    return (same[0], number) if isinstance(number, int) else None
