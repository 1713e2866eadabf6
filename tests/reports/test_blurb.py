"""BLURB's table: its own average, ours beside it, and what is not complete."""

import json

import numpy as np
import pytest

from biobert_jax.evaluation import classification, similarity
from biobert_jax.reports import blurb
from biobert_jax.reports.published import published
from biobert_jax.reports.runs import find_runs
from biobert_jax.reports.systems import systems
from tests.reports.conftest import ner_run, relation_run, sentences, write_run

PAPER = published("blurb")
KINDS = [row["kind"] for row in PAPER["rows"]]


def text_run(folder, seed, dataset, accuracy):
    random = np.random.default_rng([seed, 5])
    ids = [str(i) for i in range(60)]
    labels = ["no", "yes"]
    gold = [labels[i % 2] for i in range(60)]
    predicted = [g if random.random() < accuracy else "no" for g in gold]
    path = folder / "predictions" / "test.tsv"
    if dataset == "biosses":
        numbers = np.arange(60) / 15
        noisy = numbers + random.normal(0, 1 - accuracy, 60)
        similarity.write_predictions(path, ids, numbers, noisy)
        task, scores = "similarity", similarity.score(numbers, noisy)
    else:
        sets = [[g] for g in gold], [[p] for p in predicted]
        classification.write_predictions(path, ids, *sets, np.full((60, 2), 0.5), labels)
        task, scores = "classification", classification.score_one(gold, predicted, labels)
        if dataset == "hoc":
            scores = classification.score_several(*sets, labels)
    results = {"task": task, "dataset": dataset, "seed": seed, "test": scores}
    config = {"init": "minilm", "seed": seed, "dataset": {"name": dataset}}
    return write_run(folder, results, config)


def all_sets(folder, seeds=(1, 2)):
    for row in PAPER["rows"]:
        for seed in seeds:
            path = folder / row["ours"] / f"seed-{seed}"
            if row["task"] == "ner":
                ner_run(path, seed, 0.8, dataset=row["ours"])
            elif row["task"] == "relation":
                relation_run(path, seed, 0.8, dataset=row["ours"])
            else:
                text_run(path, seed, row["ours"], 0.8)


def made(folder):
    problems: list[str] = []
    table = blurb.table(systems(find_runs([str(folder)]).runs), 0.95, problems)
    return table, problems


def test_the_published_score_is_the_mean_over_kinds_of_tasks():
    for column, printed in PAPER["printed_score"].items():
        scores = [row["scores"][column] for row in PAPER["rows"]]
        assert blurb.blurb_score(KINDS, scores) == pytest.approx(printed, abs=0.006)
    assert blurb.weights_of(KINDS).sum() == pytest.approx(1)
    assert blurb.blurb_score(KINDS, [None, *scores[1:]]) is None


def test_a_complete_table_has_the_score_and_its_interval(tmp_path):
    all_sets(tmp_path)
    # EBM PICO is scored by words: a run that has no such score is not in its row.
    table, _ = made(tmp_path)
    rows = {row[0]: row for row in table.rows}
    assert rows["BLURB score"][-1] == ""
    for seed in (1, 2):
        folder = tmp_path / "ebm_pico" / f"seed-{seed}"
        results = find_runs([str(folder)]).runs[0].results
        from biobert_jax.evaluation.ner import read_predictions, score_words

        read = read_predictions(folder / "predictions" / "test.conll")
        results["test"]["macro_f1"] = score_words(read.gold, read.predicted)["f1"]
        write_run(folder, results, {"init": "minilm", "seed": seed})
    table, problems = made(tmp_path)
    assert problems == []
    found = systems(find_runs([str(tmp_path)]).runs)
    means = []
    for row in PAPER["rows"]:
        [system] = [s for s in found if s.dataset == row["ours"]]
        means.append(system.summary(row["measure"], "test").mean)
    rows = {row[0]: row for row in table.rows}
    assert rows["BLURB score"][-1] == f"{blurb.blurb_score(KINDS, means):.2f}"
    low, high = map(float, table.rows[-1][-1].split(" to "))
    assert low < float(rows["BLURB score"][-1]) < high
    assert rows["NER, mean"][-1] == f"{np.mean(means[:5]):.2f}"
    assert "±" in rows["BIOSSES (Pearson)"][-1]
    assert not any("no BLURB score" in note for note in table.notes)


def test_without_a_set_there_is_no_score(tmp_path):
    text_run(tmp_path / "a", 1, "biosses", 0.7)
    text_run(tmp_path / "b", 1, "pubmedqa", 0.7)
    text_run(tmp_path / "c", 1, "mine", 0.7)
    table, _ = made(tmp_path)
    rows = {row[0]: row for row in table.rows}
    assert rows["BLURB score"][-1] == rows["Question Answering, mean"][-1] == ""
    assert rows["BLURB score"][table.header.index("BioBERT [BLURB]")] == "80.34"
    assert rows["PubMedQA (Acc)"][-1].endswith("(1)")
    assert rows["mine (Acc), not BLURB's"][-1]
    assert any("2 of 13 sets, so no BLURB score" in note for note in table.notes)


def test_runs_that_are_not_trained_as_blurbs_are_named(tmp_path):
    dataset = {"name": "bc2gm", "train_limit": 500, "train_on": "train+devel"}
    ner_run(tmp_path / "a", 1, 0.8, dataset="bc2gm", test=sentences(5))
    assert made(tmp_path)[0] is None
    text_run(tmp_path / "b", 1, "hoc", 0.7)
    path = tmp_path / "a" / "config.json"
    path.write_text(json.dumps({"init": "m", "dataset": dataset}))
    table, _ = made(tmp_path)
    assert any("trained on 500 examples (bc2gm)" in note for note in table.notes)
    assert any("trained on dev, too (bc2gm)" in note for note in table.notes)


def test_other_runs_make_no_table(tmp_path):
    ner_run(tmp_path / "a", 1, 0.8, dataset="s800", test=sentences(5))
    assert made(tmp_path)[0] is None
