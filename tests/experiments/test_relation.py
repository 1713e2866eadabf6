"""The relation experiment end to end, on the generated corpus and on folders that are not right."""

import json

import pytest

from biobert_jax.errors import DataError, TrainingError
from biobert_jax.text.wordpiece import SPECIAL_TOKENS

pytestmark = pytest.mark.processes

TINY = {
    "vocab_size": 200,
    "model.hidden_size": 16,
    "model.num_hidden_layers": 1,
    "model.intermediate_size": 32,
    "dataset.limit": 40,
    "batch.row_length": 64,
    "windows.max_length": 64,
    "train.epochs": 1,
    "checkpoint.asynchronous": False,
}


@pytest.fixture(scope="module")
def run_relation():
    """Returns a function that runs experiments.relation in this process."""
    from biobert_jax.configuration.relation import relation
    from biobert_jax.launcher import train

    def run_here(dataset, workdir, **changes):
        config = relation(dataset, "debug")
        config.update_from_flattened_dict(TINY | changes)
        return train.run(config, workdir)

    return run_here


def test_all_folds_in_one_command_that_continues(run_relation, tmp_path, capsys):
    run_relation("gad", tmp_path)
    assert "mean of" in capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["task"], results["dataset"], results["seed"]) == (
        "relation", "synthetic_binary", 0
    )  # fmt: skip
    assert [fold["fold"] for fold in results["folds"]] == [1, 2]
    values = [fold["test"]["specificity"] for fold in results["folds"]]
    assert results["test"]["specificity"] == pytest.approx(sum(values) / 2)
    assert results["spread"].keys() >= {"precision", "recall", "f1", "specificity"}
    for fold in (1, 2):
        folder = tmp_path / f"fold-0{fold}"
        said = json.loads((folder / "results.json").read_text())
        assert said["data"]["examples"] == {"train": 40, "validation": 0, "test": 40}
        assert said["data"]["repeated_sentences"].keys() == {"validation", "test"}
        header, *rows = (folder / "predictions" / "test.tsv").read_text().splitlines()
        assert header == "id\tgold\tpredicted\t0\t1"
        assert len(rows) == 40
        for row in rows:
            _, _, predicted, *probabilities = row.split("\t")
            assert sum(map(float, probabilities)) == pytest.approx(1, abs=1e-5)
            assert float(probabilities[int(predicted)]) >= 0.5
    # A fold that is done stays as it is; the whole is put together again.
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("fold-*/**/*")}
    (tmp_path / "results.json").unlink()
    run_relation("gad", tmp_path)
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("fold-*/**/*")} == before


def test_all_folds_at_once_are_the_folds_one_after_the_other(run_relation, tmp_path, capsys):
    together = {"trials.folds": True, "trials.at_once": 2}
    run_relation("gad", tmp_path / "together", **together)
    run_relation("gad", tmp_path / "alone")
    ours, theirs = (
        json.loads((tmp_path / kind / "results.json").read_text()) for kind in ("together", "alone")
    )
    assert ours["test"] == theirs["test"]
    assert ours["spread"] == theirs["spread"]
    for mine, other in zip(ours["folds"], theirs["folds"], strict=True):
        assert mine == other
    for fold in ("fold-01", "fold-02"):
        found, expected = (tmp_path / kind / fold for kind in ("together", "alone"))
        name = "predictions/test.tsv"
        for mine, other in zip(read_rows(found / name), read_rows(expected / name), strict=True):
            assert mine[:3] == other[:3]
            assert [float(p) for p in mine[3:]] == pytest.approx(
                [float(p) for p in other[3:]], abs=1e-4
            )
        assert (found / "checkpoints").is_dir()
    capsys.readouterr()

    run_relation("gad", tmp_path / "both", **together, **{"trials.seeds": (0, 1)})
    assert "trials" in capsys.readouterr().out
    results = json.loads((tmp_path / "both" / "results.json").read_text())
    names = [trial["trial"] for trial in results["trials"]]
    assert names == [f"fold-0{fold}-seed-{seed}-rate-0.002" for fold in (1, 2) for seed in (0, 1)]
    assert results["trials"][0]["test"] == ours["folds"][0]["test"]
    said = [(one["fold"], one["seed"], one["learning_rate"]) for one in results["trials"]]
    assert said == [(fold, seed, 0.002) for fold in (1, 2) for seed in (0, 1)]
    assert results["seed"] == [0, 1]


def test_folds_begin_with_one_checkpoint_that_is_read_once(run_relation, tmp_path, monkeypatch):
    from biobert_jax.launcher import start

    run_relation("chemprot", tmp_path / "first")
    read, real = [], start.load_checkpoint
    monkeypatch.setattr(start, "load_checkpoint", lambda *given: read.append(given) or real(*given))
    for kind, more in (("alone", {}), ("together", {"trials.folds": True})):
        run_relation("gad", tmp_path / kind, init=str(tmp_path / "first"), **more)
    assert len(read) == 2
    ours, theirs = (
        json.loads((tmp_path / kind / "results.json").read_text()) for kind in ("together", "alone")
    )
    assert ours == theirs


def test_a_checkpoint_brings_its_own_vocabulary(run_relation, tmp_path):
    run_relation("chemprot", tmp_path / "first")
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("\n".join([*SPECIAL_TOKENS, "a", "##b"]) + "\n")
    changes = {"init": str(tmp_path / "first"), "vocab": str(vocab)}
    with pytest.raises(TrainingError, match=r"config\.vocab: .*vocab\.txt is not the vocabulary"):
        run_relation("chemprot", tmp_path / "other", **changes)


def read_rows(path):
    return [line.split("\t") for line in path.read_text().splitlines()[1:]]


def test_folds_are_together_or_alone(run_relation, tmp_path):
    with pytest.raises(TrainingError, match=r"trials\.folds is False and the dataset has 2 folds"):
        run_relation("gad", tmp_path, **{"trials.seeds": (0, 1)})


def test_folds_of_different_shapes_do_not_train_together(run_relation, tmp_path):
    # The vocabularies that the folds' own sentences give are shorter than what is asked for.
    with pytest.raises(TrainingError, match="fold-02 has a model of another shape than fold-01"):
        run_relation("gad", tmp_path, **{"trials.folds": True, "vocab_size": 5000})


def test_several_classes_and_a_validation_split(run_relation, tmp_path, capsys):
    run_relation("chemprot", tmp_path, **{"dataset.marking": "wrap"})
    assert "mean of classes" in capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    for split in ("validation", "test"):
        assert results[split].keys() >= {"precision", "recall", "f1", "macro", "per_class"}
        assert results[split]["per_class"].keys() == {"false", "treats", "causes"}
        assert results[split]["counts"]["pairs"] == 40
    assert "folds" not in results


def test_a_missing_fold_stops_before_anything_is_trained(run_relation, tmp_path):
    folder = tmp_path / "GAD"
    for number in (1, 3):
        (folder / str(number)).mkdir(parents=True)
    with pytest.raises(DataError, match="the folder of fold 2 is missing; found 1, 3"):
        run_relation("gad", tmp_path / "run", **{"dataset.path": str(folder)})
    assert not (tmp_path / "run").exists()
