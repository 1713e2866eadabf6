"""What results.json says of a run besides its scores."""

import json

import pytest

from biobert_jax.configuration.ner import ner
from biobert_jax.configuration.qa import qa
from biobert_jax.configuration.relation import relation
from biobert_jax.launcher.train import write_results


@pytest.mark.parametrize(
    ("config", "path", "dataset", "trained_on"),
    [
        (ner("own", ""), "data/mine", "mine", ["train", "devel"]),
        (ner("s800", "search"), "data/species", "s800", ["train"]),
        (relation("gad", ""), "", "gad", ["train"]),
        (qa("own", "span", ""), "data/questions/", "questions", ["train"]),
    ],
)
def test_a_run_says_what_it_was_trained_on(tmp_path, config, path, dataset, trained_on):
    config.dataset.path = path
    config.seed = 7
    results = write_results(config, tmp_path, {"test": {"f1": 1.0}})
    assert results == json.loads((tmp_path / "results.json").read_text())
    assert (results["dataset"], results["trained_on"]) == (dataset, trained_on)
    assert results["seed"] == 7
    assert results.get("path", "") == path


def test_a_run_that_was_stopped_has_no_results(tmp_path):
    assert write_results(ner("own", ""), tmp_path, None) is None
    assert not list(tmp_path.iterdir())
