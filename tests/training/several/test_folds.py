"""Folds run once each, in folders of their own, and are taken together."""

import json

import ml_collections
import numpy as np
import pytest

from biobert_jax.errors import TrainingError
from biobert_jax.training import workdir as workdirs
from biobert_jax.training.several.folds import cross_validate, summarise


def config(seed=0):
    return ml_collections.ConfigDict(
        {"seed": seed, "dataset": {"fold": "all"}, "train": {"test": True}}
    )


class Runner:
    """Scores a fold by its number, and is stopped before the fold `stop`."""

    def __init__(self, stop=None):
        self.stop, self.ran = stop, []

    def __call__(self, config, workdir):
        fold = int(config.dataset.fold)
        if fold == self.stop:
            return None
        workdirs.prepare(workdir, config)
        self.ran.append((fold, workdir.name))
        scores = {"f1": 10.0 * fold, "per_class": {"1": {"f1": 1.0, "support": 3}}}
        results = {"test": {**scores, "counts": {"pairs": 5}}}
        (workdir / "results.json").write_text(json.dumps(results))
        return results


def test_mean_and_spread_over_folds(tmp_path):
    results = cross_validate(config(), tmp_path, [1, 2, 3, 10], Runner())
    assert results["test"] == {"f1": 40.0, "per_class": {"1": {"f1": 1.0}}}
    assert results["spread"]["f1"] == pytest.approx(np.std([10, 20, 30, 100], ddof=1))
    assert [fold["fold"] for fold in results["folds"]] == [1, 2, 3, 10]
    assert results["folds"][0]["test"]["counts"] == {"pairs": 5}
    assert sorted(p.name for p in tmp_path.glob("fold-*")) == [
        "fold-01", "fold-02", "fold-03", "fold-10"
    ]  # fmt: skip


def test_what_was_done_is_not_done_again(tmp_path):
    stopped, again = Runner(stop=2), Runner()
    assert cross_validate(config(), tmp_path, [1, 2, 3], stopped) is None
    assert stopped.ran == [(1, "fold-01")]
    results = cross_validate(config(), tmp_path, [1, 2, 3], again)
    assert again.ran == [(2, "fold-02"), (3, "fold-03")]
    assert results["test"]["f1"] == 20


def test_folds_are_scored_by_their_test_sentences(tmp_path):
    unscored = config()
    unscored.train.test = False
    with pytest.raises(TrainingError, match="of their test sentences"):
        cross_validate(unscored, tmp_path, [1, 2], Runner())
    assert not any(tmp_path.iterdir())


def test_another_configs_folder_is_refused(tmp_path):
    cross_validate(config(), tmp_path, [1], Runner())
    with pytest.raises(TrainingError, match="seed is 0 there and 1 here"):
        cross_validate(config(seed=1), tmp_path, [1], Runner())


def test_one_fold_has_no_spread_and_a_score_that_a_fold_lacks_no_mean():
    assert summarise([{"f1": 3.0}]) == ({"f1": 3.0}, {"f1": 0.0})
    assert summarise([{"f1": 3.0, "specificity": 1.0}, {"f1": 5.0}])[0] == {"f1": 4.0}
