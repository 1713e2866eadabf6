"""Classification and similarity end to end on generated data: train, evaluate, apply."""

import json

import pytest

import biobert_jax
from biobert_jax import cli
from biobert_jax.errors import DataError, UserError
from biobert_jax.launcher.evaluate import evaluate
from biobert_jax.reports.predictions import load_scored
from biobert_jax.reports.runs import find_runs
from tests.support.models import tiny_settings

pytestmark = pytest.mark.slow

TINY = {
    "vocab_size": 200,
    **tiny_settings(num_hidden_layers=1),
    "dataset.limit": 24,
    "batch.row_length": 64,
    "windows.max_length": 64,
    "train.epochs": 1,
    "checkpoint.asynchronous": False,
}


def trained(task, dataset, workdir):
    from biobert_jax.configuration.classification import classification
    from biobert_jax.configuration.similarity import similarity
    from biobert_jax.launcher import train

    config = {"classification": classification, "similarity": similarity}[task](dataset, "debug")
    config.update_from_flattened_dict(TINY)
    return train.run(config, workdir)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    trained("classification", "hoc", folder / "labels")
    trained("similarity", "biosses", folder / "scores")
    return folder


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_results_can_be_read_again_from_predictions(runs):
    results = json.loads((runs / "labels" / "results.json").read_text())
    assert results["data"]["groups"]["test"] < results["data"]["examples"]["test"]
    found = {run.task: run for run in find_runs([str(runs)]).runs}
    assert load_scored(found["classification"], "f1").size == results["test"]["counts"]["texts"]
    assert load_scored(found["similarity"], "pearson").size == 24


def test_labels_are_given_to_texts(runs, tmp_path):
    file, output = tmp_path / "texts.txt", tmp_path / "out.jsonl"
    file.write_text("One text.\nAnother text.\n")
    cli.main(
        ["classify", "--model", str(runs / "labels"), "--input", str(file), "--output", str(output)]
    )
    found = lines(output)
    assert [one["text"] for one in found] == ["One text.", "Another text."]
    for one in found:
        given = [name for name, p in one["probabilities"].items() if p >= 0.5]
        assert one["labels"] == given
    cli.main(["classify", "--model", str(runs / "labels"), "--input", str(file), "--format", "tsv"])


def test_pairs_are_scored_as_in_training(runs, tmp_path, capsys):
    from biobert_jax.datasets.synthetic.texts import similarity_splits

    records = similarity_splits()["test"][:24]
    rows = [f"{r.id}\t{r.text}\t{r.second}\t{r.score}" for r in records]
    file, output = tmp_path / "pairs.tsv", tmp_path / "out.jsonl"
    file.write_text("\n".join(["id\ttext\tsecond\tscore", *rows]) + "\n")
    model = str(runs / "scores")
    cli.main(["similarity", "--model", model, "--input", str(file), "--output", str(output)])
    said = (runs / "scores" / "predictions" / "test.tsv").read_text("utf-8").splitlines()[1:]
    expected = [float(line.split("\t")[2]) for line in said]
    assert [one["score"] for one in lines(output)] == pytest.approx(expected, abs=2e-3)
    results = json.loads((runs / "scores" / "results.json").read_text())
    assert evaluate(model, file)["test"]["pearson"] == pytest.approx(
        results["test"]["pearson"], abs=0.1
    )


def test_what_does_not_fit_a_model_is_refused(runs, tmp_path):
    pairs, strange, model = tmp_path / "p.tsv", tmp_path / "s.tsv", str(runs / "labels")
    pairs.write_text("text\tsecond\tlabels\nA.\tB.\tGene\n")
    strange.write_text("text\tlabels\nA.\tPlant\n")
    with pytest.raises(DataError, match="found pairs of texts"):
        evaluate(model, pairs)
    with pytest.raises(DataError, match=r"s\.tsv:2: the label 'Plant' does not occur in the model"):
        evaluate(model, strange)
    labels, scores = biobert_jax.load(model), biobert_jax.load(str(runs / "scores"))
    assert (labels.methods, scores.methods) == (("classify", "embed"), ("similarity", "embed"))
    with pytest.raises(DataError, match="trained on single texts"):
        labels.classify("A.", "B.")
    with pytest.raises(UserError, match="cannot score pairs of texts"):
        labels.similarity("A.", "B.")
    with pytest.raises(UserError, match="cannot classify texts"):
        scores.classify("A.")
    with pytest.raises(DataError, match="found 2 texts and 1 seconds"):
        scores.similarity(["A.", "B."], "C.")
    with pytest.raises(DataError, match=r"seconds\[0\]: is empty"):
        scores.similarity("A.", " ")
    [one] = labels.classify("One text.")
    assert one.labels == tuple(name for name, p in one.probabilities.items() if p >= 0.5)
    assert len(scores.similarity(["A.", "B."], ["C.", "D."])) == 2
