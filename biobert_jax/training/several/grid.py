"""Which runs `config.trials` asks for: a folder and a config for each."""

import itertools
from collections import Counter
from collections.abc import Sequence

import ml_collections

from biobert_jax.errors import TrainingError
from biobert_jax.training.several.folds import folder_of, of_fold

Config = ml_collections.ConfigDict


def wanted(config: Config) -> bool:
    """Whether a config asks for trials."""
    trials = config.trials
    return bool(trials.folds or trials.seeds or trials.learning_rates)


def grid(config: Config, folds: Sequence[int] = ()) -> list[tuple[str, int | None, Config]]:
    """Every combination of folds, seeds and learning rates.

    Args:
      config: of the whole.
      folds: of the data; empty where it has none.

    Returns:
      The name, the fold (None without folds) and the config of each trial; the config is that of
      the run on its own. Trials of a fold follow each other.

    Raises:
      TrainingError: two trials are the same.
    """
    trials = config.trials
    out = []
    for fold, seed, rate in itertools.product(
        folds or (None,),
        trials.seeds or (config.seed,),
        trials.learning_rates or (config.optimizer.learning_rate,),
    ):
        one = config.copy_and_resolve_references() if fold is None else of_fold(config, fold)
        one.seed, one.optimizer.learning_rate = int(seed), float(rate)
        one.trials.folds, one.trials.at_once = False, 0
        one.trials.seeds = one.trials.learning_rates = ()
        names = [] if fold is None else [folder_of(fold)]
        if trials.seeds or trials.learning_rates:
            names.append(f"seed-{seed}-rate-{rate:g}")
        out.append(("-".join(names), fold, one))
    name, times = Counter(name for name, _, _ in out).most_common(1)[0]
    if times > 1:
        raise TrainingError(f"config.trials asks for {name} {times} times; name each run once")
    return out
