"""Parts that sweep files are made of."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from biobert_jax.sweeps.plan import Choose, SweepRun


def over_seeds(name: str, config: str, seeds: Sequence[int], **settings: Any) -> Iterator[SweepRun]:
    """One run per seed, `NAME/seed-1` and so on.

    Args:
      name: the folder of all.
      config: below configs/.
      seeds: their `config.seed`.
      **settings: by dotted name, with `__` for the dot.
    """
    given = dotted(settings)
    for seed in seeds:
        yield SweepRun(f"{name}/seed-{seed}", config, given | {"seed": seed})


def search(
    name: str,
    config: str,
    grid: Sequence[tuple[str, Sequence[Any]]],
    seeds: Sequence[int],
    searching: Mapping[str, Any],
    retraining: Mapping[str, Any],
    by: str = "validation.f1",
    **settings: Any,
) -> Iterator[SweepRun]:
    """The paper's search (section 4.1): a grid chosen on validation, then retrained and tested.

    Args:
      name: the folder of all.
      config: below configs/.
      grid: settings and the values to try, such as a config's `search_space`.
      seeds: of the retrained runs; the grid is searched with the first.
      searching: settings of the grid's runs, which need a validation set they do not train on.
      retraining: settings of the retrained runs.
      by: the score to choose by.
      **settings: of all, with `__` for the dot.
    """
    names = []
    for values in itertools.product(*(choices for _, choices in grid)):
        tried = dict(zip((setting for setting, _ in grid), values, strict=True))
        shown = {n: f"{v:g}" if isinstance(v, float) else str(v) for n, v in tried.items()}
        label = "-".join(f"{name.split('.')[-1]}-{value}" for name, value in shown.items())
        names.append(f"{name}/search/{label}")
        given = dotted(settings) | dict(searching) | tried | {"seed": seeds[0]}
        given["train.test"] = False  # the test split is read once, by the retrained runs
        yield SweepRun(names[-1], config, given)
    choose = Choose(tuple(names), tuple(setting for setting, _ in grid), by)
    for seed in seeds:
        given = dotted(settings) | dict(retraining) | {"seed": seed}
        yield SweepRun(f"{name}/test/seed-{seed}", config, given, choose)


def dotted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with `__` in their names as those with dots."""
    return {name.replace("__", "."): value for name, value in settings.items()}


def fine_tunings(
    prefix: str,
    init: str,
    sets: Sequence[Sequence[str]],
    data: str,
    seeds: Sequence[int],
    settings: Mapping[str, Any],
) -> Iterator[SweepRun]:
    """Fine-tunes an encoder on several sets, with several seeds: `PREFIX/SET/seed-1` and so on.

    Args:
      prefix: the folder of all.
      init: the encoder; `{NAME}` is one of the sweep's pre-trainings, `{NAME}@500` its checkpoint.
      sets: (config below configs/, folder below `data`) of each; the folder may be left out.
      data: where the sets are; empty: configs find or download them.
      seeds: `config.seed` of each run.
      settings: further settings of all, by dotted name.
    """
    for config, *folder in sets:
        given = {"init": init, **settings}
        if data and folder:
            given["dataset.path"] = f"{data}/{folder[0]}"
        name = config.split("/")[-1].split(":")[0]
        for seed in seeds:
            yield SweepRun(f"{prefix}/{name}/seed-{seed}", config, given | {"seed": seed})


def pretraining(
    name: str, config: str, corpora: Sequence[Sequence[Any]], init: str, settings: Mapping[str, Any]
) -> SweepRun:
    """Pre-trains on corpora: (folder, weight) of each; none: the config's own."""
    given = {"init": init, **settings}
    if corpora:
        given["dataset.corpora"] = tuple((str(folder), float(weight)) for folder, weight in corpora)
    return SweepRun(name, config, given)
