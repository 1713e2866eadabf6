"""MODEL_CARD.md of pre-training runs and converted models."""

import json

import pytest

from biobert_jax.reports.model_card import UNKNOWN, Model, model_card, write_model_card
from biobert_jax.reports.runs import find_runs


@pytest.fixture
def run(make, tmp_path):
    corpus = tmp_path / "shards" / "pubmed"
    corpus.mkdir(parents=True)
    manifest = {
        "source": "pubmed",
        "documents": 1200,
        "words": 123456,
        "tokens": 200000,
        "vocabulary": {"size": 28996, "lowercase": False},
        "excluded_ids": 7,
        "read": {"duplicates": 3, "excluded": 5},
    }
    (corpus / "manifest.json").write_text(json.dumps(manifest))
    folder = make.pretraining(tmp_path / "runs" / "p", 4, 2.25)
    config = {
        "task": "pretraining",
        "init": "hf://google-bert/bert-base-cased",
        "seed": 4,
        "dataset": {"corpora": [[str(corpus), 1.0], ["/gone/general", 0.5]], "max_words": 1000},
        "batch": {"rows": 256, "row_length": 512},
        "optimizer": {"learning_rate": 1e-4},
        "instances": {"next_sentence": True, "masked_share": 0.15},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_a_card_says_what_the_run_and_its_corpora_say(run):
    write_model_card(run, run)
    card = (run / "MODEL_CARD.md").read_text(encoding="utf-8")
    for fact in (
        *("hf://google-bert/bert-base-cased", "| steps | 40 |", "131,072 (256 rows)", "0.0001"),
        *("| words used | 1,000 |", "1,200", "123,456", "200,000", "28,996, cased", "2.25"),
        "| pubmed | pubmed | 1 | 1,200 | 123,456 | 200,000 | 28,996, cased | 3 | 5 |",
        "left out of pubmed",
        "NLM's terms",
        f"general: {UNKNOWN}",
    ):
        assert fact in card, fact
    assert "/gone" not in card


def test_a_card_says_what_it_ran_on_last(run):
    last = {"devices": {"count": 4, "kind": "H200"}, "packages": {"jax": "0.10"}, "commit": "abc"}
    file = run / "environment.json"
    file.write_text(json.dumps(last | {"earlier": [{"devices": {"count": 1}}]}))
    write_model_card(run, run)
    card = (run / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| 4 x H200 |" in card
    assert "abc" in card


@pytest.mark.parametrize("value", [None, 3, [], "x", [1]])
def test_a_card_is_made_of_whatever_there_is(run, value):
    for file in ("config.json", "environment.json", "results.json"):
        before = (run / file).read_text() if (run / file).is_file() else None
        (run / file).write_text(json.dumps(value))
        write_model_card(run, run)
        if before:
            (run / file).write_text(before)
    config = json.loads((run / "config.json").read_text())
    for part in config.keys() - {"task"}:
        (run / "config.json").write_text(json.dumps(config | {part: value}))
        write_model_card(run, run)


def test_a_corpus_nobody_decontaminated_is_said_so(run):
    file = run.parents[1] / "shards" / "pubmed" / "manifest.json"
    manifest = json.loads(file.read_text()) | {"excluded_ids": 0}
    file.write_text(json.dumps(manifest))
    (found,) = find_runs([str(run)]).runs
    assert "None were left out of pubmed" in model_card(found)


def test_a_model_from_elsewhere_has_what_its_checkpoint_says(tmp_path):
    sizes = {"model_type": "bert", "hidden_size": 384, "num_hidden_layers": 6}
    model = Model("hf://x/<b>model", sizes, 30522, True, ["encoder", "mlm"], ["B", "I"])
    write_model_card(tmp_path, None, model)
    card = (tmp_path / "MODEL_CARD.md").read_text(encoding="utf-8")
    for fact in ("| hidden\\_size | 384 |", "30,522 tokens", "| yes |", "encoder, mlm", "B, I"):
        assert fact in card, fact
    assert f"Training data, steps and scores: {UNKNOWN}" in card
    assert "<b>" not in card.replace("\\<", "")


def test_a_fine_tuned_model_has_its_scores(make, tmp_path):
    folder = make.ner(tmp_path / "n", 3, 0.8)
    config = json.loads((folder / "config.json").read_text()) | {"task": "ner"}
    (folder / "config.json").write_text(json.dumps(config))
    write_model_card(tmp_path / "out", folder)
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text(encoding="utf-8")
    f1 = json.loads((folder / "results.json").read_text())["test"]["f1"]
    assert f"| F1 | {f1:.2f} |" in card
    assert "ncbi\\_disease" in card


def test_an_unfinished_run_has_a_card(make, tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    (folder / "config.json").write_text('{"task": "pretraining", "init": "random"}')
    write_model_card(folder, folder)
    assert f"| steps | {UNKNOWN} |" in (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    (folder / "results.json").write_text('{"task": "pretr')
    write_model_card(folder, folder)
