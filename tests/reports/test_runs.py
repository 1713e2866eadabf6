"""Finding runs, and the messages about folders that hold none."""

import json

import pytest

from biobert_jax import cli
from biobert_jax.errors import DataError
from biobert_jax.reports.predictions import Unscored, load_scored
from biobert_jax.reports.runs import find_runs, label_of_init, named
from biobert_jax.reports.systems import systems


def test_runs_are_found_at_any_depth(make, tmp_path):
    for path, seed in (("a/seed-1", 1), ("a/deep/er/seed-2", 2), ("b", 3)):
        make.ner(tmp_path / path, seed, 0.9)
    make.run(tmp_path / "b" / "checkpoints" / "x", {"not": "a run"})
    found = find_runs([str(tmp_path)])
    assert [run.seed for run in found.runs] == [2, 1, 3]
    assert found.problems == []


def test_a_run_found_twice_counts_once(make, tmp_path):
    make.ner(tmp_path / "a", 1, 0.9)
    assert len(find_runs([str(tmp_path), str(tmp_path / "a")]).runs) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"task": "ner", "dataset"', "results.json"),
        ("[1, 2]", "list"),
        ('{"task": "ner", "dataset": "x"}', "seed is None"),
        ('{"task": 3, "dataset": "x", "seed": 1}', "task is 3"),
        ('{"task": "ner", "dataset": "x", "seed": []}', "seed"),
        ('{"task": "ner", "dataset": "x", "seed": 1, "test": 4}', "test is 4"),
        ('{"task": "ner", "dataset": "x", "seed": 1, "folds": [{"fold": "../.."}]}', "integers"),
        ('{"task": "ner", "dataset": "x", "seed": 1, "trials": [{"trial": "../x"}]}', "trial"),
        ('{"task": "ner", "dataset": "x", "seed": 1, "trials": 5}', "trials"),
    ],
)
def test_a_cut_or_foreign_file_is_one_message(make, tmp_path, content, words):
    make.ner(tmp_path / "good", 1, 0.9)
    bad = make.ner(tmp_path / "bad", 2, 0.9) / "results.json"
    bad.write_text(content)
    found = find_runs([str(tmp_path)])
    assert [run.seed for run in found.runs] == [1]
    assert len(found.problems) == 1
    assert str(bad) in found.problems[0]
    assert words in found.problems[0]


def test_an_unfinished_run_is_reported(make, tmp_path):
    (make.ner(tmp_path / "a", 1, 0.9) / "results.json").unlink()
    (tmp_path / "a" / "metrics.jsonl").write_text("")
    found = find_runs([str(tmp_path)])
    assert found.runs == []
    assert "not finished" in found.problems[0]


def test_a_path_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        find_runs([str(tmp_path / "none")])


def test_names_are_taken_off_paths(tmp_path):
    (tmp_path / "x=y").mkdir()
    assert named("MiniLM=runs/a") == ("MiniLM", type(tmp_path)("runs/a"))
    assert named(str(tmp_path / "x=y")) == ("", tmp_path / "x=y")
    assert named("runs/a=b")[0] == ""


@pytest.mark.parametrize(
    ("init", "label"),
    [
        ("random", "random"),
        ("runs/pubmed@25000", "pubmed@25000"),
        ("/models/minilm/", "minilm"),
        ("hf://dmis-lab/biobert-base-cased-v1.1", "biobert-base-cased-v1.1"),
    ],
)
def test_a_system_is_called_after_what_it_began_with(init, label):
    assert label_of_init(init) == label


def test_seeds_are_one_system_and_other_settings_another(make, tmp_path):
    for seed in (1, 2):
        make.ner(tmp_path / f"a{seed}", seed, 0.9, train={"epochs": 3})
        newer = {"upload_every": 60.0} if seed == 2 else {}  # that the first one's version lacked
        train = {"epochs": 5, **({"test": True} if newer else {})}
        make.ner(tmp_path / f"b{seed}", seed, 0.9, train=train, log_every=seed, **newer)
    labels = {s.label: len(s.runs) for s in systems(find_runs([str(tmp_path)]).runs)}
    assert labels == {"minilm, epochs=3": 2, "minilm, epochs=5": 2}


def test_a_searched_sweep_is_its_retrained_runs(make, tmp_path, capsys):
    make.ner(tmp_path / "s" / "search" / "rate-1", 1, 0.7, train={"test": False})
    for seed in (1, 2):
        make.ner(tmp_path / "s" / "test" / f"seed-{seed}", seed, 0.9, train={"test": True})
        make.ner(tmp_path / "b" / f"seed-{seed}", seed, 0.8, train={})  # of an older version
    a, b = f"A={tmp_path / 's'}", f"B={tmp_path / 'b'}"
    for command in (["results", a, b], ["compare", a, b], ["compare", str(tmp_path / "b"), a]):
        cli.main([*command, "--format", "csv"])
        printed = capsys.readouterr().out
        assert "ncbi_disease" in printed
        assert "test=" not in printed
    cli.main(["report", "--runs", a, b, "--output", str(tmp_path / "r"), "--no-figures"])
    text = (tmp_path / "r" / "report.md").read_text()
    assert "4 runs of 2 combinations" in text


def test_two_encoders_of_one_name_are_told_apart_by_their_folders(make, tmp_path):
    make.ner(tmp_path / "a", 1, 0.9, init="/x/model")
    make.ner(tmp_path / "b", 1, 0.9, init="/y/model")
    labels = [system.label for system in systems(find_runs([str(tmp_path)]).runs)]
    assert labels == ["x/model", "y/model"]


def test_one_seed_on_two_data_folders_is_two_systems(make, tmp_path):
    for folder in ("all", "part"):
        for seed in (1, 2):
            path = make.ner(tmp_path / folder / str(seed), seed, 0.9) / "config.json"
            config = json.loads(path.read_text())
            config["dataset"]["path"] = f"/data/{folder}"
            path.write_text(json.dumps(config))
    found = systems(find_runs([str(tmp_path)]).runs)
    assert [(s.label, len(s.runs)) for s in found] == [("minilm", 2), ("minilm (part/1)", 2)]


def test_a_copied_run_is_refused(make, tmp_path):
    make.ner(tmp_path / "a", 1, 0.9)
    make.ner(tmp_path / "b", 1, 0.9)
    with pytest.raises(DataError, match="seed 1"):
        systems(find_runs([str(tmp_path)]).runs)


@pytest.mark.parametrize(
    ("task", "measures"),
    [
        ("ner", ["precision", "recall", "f1"]),
        ("relation", ["precision", "recall", "f1"]),
        ("factoid", ["strict_accuracy", "lenient_accuracy", "mrr"]),
    ],
)
def test_predictions_give_the_scores_of_results_json(make, tmp_path, task, measures):
    getattr(make, task)(tmp_path / "run", 1, 0.7)
    (run,) = find_runs([str(tmp_path)]).runs
    for measure in measures:
        scored = load_scored(run, measure)
        assert scored.outcomes.scores()[0] == pytest.approx(run.scores("test")[measure])


def test_scored_classes_are_those_of_the_config(make, tmp_path):
    folder = make.relation(tmp_path / "run", 1, 0.7)
    (folder / "config.json").write_text('{"dataset": {"scored": ["CPR:3"]}}')
    (run,) = find_runs([str(tmp_path)]).runs
    with pytest.raises(DataError, match=r"results\.json says"):
        load_scored(run, "f1")


def test_folds_are_one_test_set(make, tmp_path):
    folds = []
    for number in (1, 2):
        folder = make.ner(tmp_path / f"fold-{number:02d}", 1, 0.6 + number / 10)
        folds.append({"fold": number} | json.loads((folder / "results.json").read_text()))
    mean = sum(fold["test"]["f1"] for fold in folds) / 2
    head = {"task": "ner", "dataset": "gad", "seed": 1}
    make.run(tmp_path, head | {"folds": folds, "test": {"f1": mean}})
    (run,) = find_runs([str(tmp_path)]).runs
    assert len(run.parts) == 2
    assert load_scored(run, "f1").size == 240
    assert load_scored(run, "f1").outcomes.scores()[0] == pytest.approx(mean)


def test_trials_are_runs_of_their_own_and_their_folds_one(make, tmp_path):
    trials = []
    for seed in (1, 2):
        name = f"seed-{seed}-rate-1e-05"
        make.ner(tmp_path / "seeds" / name, seed, 0.8)
        trials.append({"trial": name, "seed": seed})
    head = {"task": "ner", "dataset": "ncbi_disease", "seed": [1, 2]}
    make.run(tmp_path / "seeds", head | {"trials": trials})
    assert [run.seed for run in find_runs([str(tmp_path / "seeds")]).runs] == [1, 2]

    trials = []
    for seed in (1, 2):
        for fold in (1, 2):
            name = f"fold-{fold:02d}-seed-{seed}-rate-1e-05"
            make.ner(tmp_path / "folds" / name, seed, 0.8, test=make.sentences(50, fold))
            trials.append({"trial": name, "seed": seed, "fold": fold, "learning_rate": 1e-5})
    make.run(tmp_path / "folds", head | {"trials": trials})
    runs = find_runs([str(tmp_path / "folds")]).runs
    assert [(run.seed, len(run.parts)) for run in runs] == [(1, 2), (2, 2)]
    assert load_scored(runs[0], "f1").size == 100


def test_pretraining_has_no_predictions_to_resample(make, tmp_path):
    make.pretraining(tmp_path / "p", 1, 2.0)
    (run,) = find_runs([str(tmp_path)]).runs
    with pytest.raises(Unscored):
        load_scored(run, "mlm_loss")


@pytest.mark.parametrize(
    ("task", "file"),
    [("ner", "test.conll"), ("relation", "test.tsv"), ("factoid", "test_questions.jsonl")],
)
def test_cut_or_missing_predictions_are_one_message(make, tmp_path, task, file):
    path = getattr(make, task)(tmp_path / "run", 1, 0.7) / "predictions" / file
    (run,) = find_runs([str(tmp_path)]).runs
    content = path.read_bytes()
    measure = "mrr" if task == "factoid" else "f1"
    for cut in (len(content) // 2 - 3, len(content) // 2, 0):
        path.write_bytes(content[:cut])
        with pytest.raises(DataError):
            load_scored(run, measure)
    path.unlink()
    with pytest.raises(DataError, match="missing"):
        load_scored(run, measure)


def test_what_biobert_evaluate_wrote_is_a_run_of_the_model(make, tmp_path):
    trained = make.ner(tmp_path / "trained", 5, 0.9)
    scored = make.ner(tmp_path / "scored", 5, 0.8, dataset="s800")
    results = json.loads((scored / "results.json").read_text())
    del results["seed"]
    results["model"] = f"{trained} (step 7)"
    (scored / "results.json").write_text(json.dumps(results))
    (scored / "config.json").unlink()
    (run,) = find_runs([str(scored)]).runs
    assert (run.seed, run.dataset, run.config["init"]) == (5, "s800", "minilm")
    assert load_scored(run, "f1").size == 120
    results["model"] = "hf://x/y"
    (scored / "results.json").write_text(json.dumps(results))
    (run,) = find_runs([str(scored)]).runs
    assert (run.seed, run.config["init"]) == (0, "hf://x/y")
