"""The QA experiments end to end on the generated corpus: SQuAD's form, then BioASQ's from it."""

import json

import pytest

from biobert_jax.datasets.synthetic.qa import qa_splits
from biobert_jax.evaluation.qa import factoid_scores, list_scores, yesno_scores
from biobert_jax.interop.workdir import read_workdir

pytestmark = pytest.mark.processes

SCORED = {"factoid": factoid_scores, "list": list_scores, "yesno": yesno_scores}


@pytest.fixture(scope="module")
def run_qa():
    """Returns a function that runs a shrunk debug config in this process."""
    from biobert_jax.configuration.qa import qa
    from biobert_jax.launcher import train

    def run_here(workdir, dataset, kind, **changes):
        config = qa(dataset, kind, "debug")
        config.update_from_flattened_dict(
            {
                "model.hidden_size": 32,
                "model.intermediate_size": 32,
                "vocab_size": 300,
                "dataset.limit": 24,
                "train.epochs": 1,
                **changes,
            }
        )
        train.run(config, workdir)
        return json.loads((workdir / "results.json").read_text(encoding="utf-8"))

    return run_here


@pytest.fixture(scope="module")
def squad(run_qa, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("runs") / "squad"
    results = run_qa(workdir, "squad", "span")
    assert results["validation"].keys() == {"exact_match", "f1", "questions", "unanswered"}
    return workdir


@pytest.mark.parametrize("kind", ["factoid", "list", "yesno"])
def test_bioasq_starts_where_squad_ended(run_qa, squad, tmp_path, caplog, capsys, kind):
    with caplog.at_level("INFO", logger="biobert_jax"):
        results = run_qa(tmp_path / kind, "bioasq_6b", kind, init=str(squad))
    restored = "encoder" if kind == "yesno" else "encoder, span"
    assert f"initial parameters: {restored} from {squad}" in caplog.text
    assert "Question answering" in capsys.readouterr().out

    submission = json.loads(
        (tmp_path / kind / "predictions" / "bioasq.json").read_text(encoding="utf-8")
    )
    predicted = {
        question["id"]: question["exact_answer"]
        if kind == "yesno"
        else [entry[0] for entry in question["exact_answer"]]
        for question in submission["questions"]
    }
    gold = qa_splits(kind)[1]["test"]["synthetic"]
    # What the official evaluator would find in the file is what results.json says.
    for name, score in SCORED[kind](gold, predicted).items():
        assert results["test"][name] == pytest.approx(score), name
    if kind == "list":  # what `biobert answer` goes by
        assert results["tuned"] == {"decoding": {"threshold": results["validation"]["threshold"]}}
        tuned = read_workdir(tmp_path / kind).card.decoding.threshold
        assert tuned == results["test"]["threshold"]
    if kind == "factoid":
        assert all(len(answers) <= 5 for answers in predicted.values())
        assert [batch["name"] for batch in results["test"]["batches"]] == ["synthetic"]


def test_seeds_as_trials_without_a_test_split(run_qa, tmp_path, capsys, monkeypatch):
    """SQuAD's own has none."""
    from biobert_jax.tasks.qa import prepare

    def without_test(**settings):
        splits = load_splits(**settings)
        splits.questions["test"] = []
        return splits

    load_splits = prepare.load_splits
    monkeypatch.setattr(prepare, "load_splits", without_test)
    results = run_qa(tmp_path, "squad", "span", **{"trials.seeds": (0, 1)})
    assert "trials" in capsys.readouterr().out
    values = [trial["validation"]["f1"] for trial in results["trials"]]
    assert results["validation"]["f1"] == pytest.approx(sum(values) / 2)
    assert "test" not in results
