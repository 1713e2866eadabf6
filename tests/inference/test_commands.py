"""`biobert answer` and `biobert relations`, from a model on disk to a file."""

import dataclasses
import json

import pytest

from biobert_jax import cli
from biobert_jax.inference.answer import make_answerer
from biobert_jax.interop.workdir import read_workdir, write_workdir
from biobert_jax.tasks.qa.answers import Decoding

PASSAGES = ["Tavoramab relieved severe Brackow fever of the knee.", "Gold is a metal, Dr Roe!"]
IDS = [letter * 24 for letter in "abc"]


@pytest.fixture(scope="module")
def run(tmp_path_factory, span_checkpoint):
    """A workdir as experiments.qa leaves it for list questions."""
    workdir = tmp_path_factory.mktemp("runs") / "list"
    decoding = Decoding(threshold=0.5)
    card = dataclasses.replace(span_checkpoint.card, kind="list", decoding=decoding)
    write_workdir(workdir, dataclasses.replace(span_checkpoint, card=card))
    results = {"step": 0, "tuned": {"decoding": {"threshold": 0.05}}}
    (workdir / "results.json").write_text(json.dumps(results), "utf-8")
    return workdir


@pytest.fixture(scope="module")
def relation_run(tmp_path_factory, sequence_checkpoint):
    workdir = tmp_path_factory.mktemp("runs") / "relation"
    write_workdir(workdir, sequence_checkpoint)
    return workdir


def biobert(*arguments):
    cli.main([str(argument) for argument in arguments])


def fails(capsys, *arguments):
    """Runs a command that must end with a message, and returns it."""
    with pytest.raises(SystemExit) as exit_:
        biobert(*arguments)
    assert exit_.value.code == 1
    return capsys.readouterr().err


def lines(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_run_brings_its_windows_and_the_threshold_that_it_tuned(run, tmp_path):
    checkpoint = read_workdir(run)
    answerer = make_answerer(checkpoint)
    assert (answerer.kind, answerer.decoding.threshold) == ("list", 0.05)
    assert answerer.windowing.max_length == checkpoint.card.windows.max_length == 24
    # Of another step, the threshold is not this model's.
    (run / "results.json").rename(tmp_path / "results.json")
    assert make_answerer(read_workdir(run)).decoding.threshold == 0.5
    (tmp_path / "results.json").rename(run / "results.json")


def test_answer_of_one_question_and_of_many(run, tmp_path):
    passages, questions = tmp_path / "passages.txt", tmp_path / "questions.jsonl"
    passages.write_text("\n".join(PASSAGES), "utf-8")
    records = [{"id": "x", "question": "Which?", "contexts": PASSAGES}]
    questions.write_text("\n".join(map(json.dumps, records)), "utf-8")
    out, other = tmp_path / "deep" / "a.jsonl", tmp_path / "b.jsonl"
    command = ("answer", "--model", run, "--output")
    biobert(*command, out, "--input", passages, "--question", "Which?", "--top", 3)
    biobert(*command, other, "--input", questions, "--top", 3)
    (record,), (same,) = lines(out), lines(other)
    assert same == record | {"id": "x"}
    assert (record["question"], len(record["answers"])) == ("Which?", 3)
    for found in record["answers"]:
        assert PASSAGES[found["passage"]][found["start"] : found["end"]] == found["text"]


def test_official_questions_become_a_submission(run, tmp_path, caplog):
    types = ("list", "factoid", "list")
    questions = [
        {"id": id_, "type": type_, "body": "Which?", "snippets": [{"text": t} for t in texts]}
        for id_, type_, texts in zip(IDS, types, (PASSAGES, PASSAGES, []), strict=True)
    ]
    path, out = tmp_path / "test.json", tmp_path / "submission.json"
    path.write_text(json.dumps({"questions": questions}), "utf-8")
    biobert("answer", "--model", run, "--input", path, "--format", "bioasq", "--output", out)
    first, last = json.loads(out.read_text("ascii"))["questions"]
    assert (first["id"], first["type"]) == (IDS[0], "list")
    assert all(len(entry) == 1 for entry in first["exact_answer"])
    assert (last["id"], last["exact_answer"]) == (IDS[2], [])
    assert "1 questions of other types left out" in caplog.text


def test_answers_to_look_at_show_where_they_stand(run, tmp_path, capsys):
    path = tmp_path / "passages.txt"
    path.write_text(PASSAGES[1] + "\n", "utf-8")
    command = ("answer", "--model", run, "--input", path, "--question", "Which?")
    biobert(*command, "--format", "text", "--top", 1)
    question, answer, place = capsys.readouterr().out.splitlines()
    assert question == "Which?"
    score, text = answer.split(maxsplit=1)
    assert 0 < float(score) <= 1
    assert f"[{text}]" in place
    assert place.strip().startswith("passage 1:")


@pytest.mark.parametrize("form", ["tsv", "jsonl", "text"])
def test_relations_of_raw_text_with_offsets(relation_run, tmp_path, form):
    drug, disease = {"start": 0, "end": 9, "type": "chemical"}, {"start": 26, "end": 39}
    record = {"id": "s", "text": PASSAGES[0], "entities": [drug, disease | {"type": "disease"}]}
    path, out = tmp_path / "in.jsonl", tmp_path / "out"
    path.write_text(json.dumps(record) + "\n", "utf-8")
    biobert(
        "relations", "--model", relation_run, "--input", path, "--output", out, "--format", form
    )
    text = "@CHEMICAL$ relieved severe @DISEASE$ of the knee."
    if form == "tsv":
        header, row = (line.split("\t") for line in out.read_text("utf-8").splitlines())
        assert header == ["id", "predicted", "false", "treats", "causes"]
        probabilities = list(map(float, row[2:]))
        assert row[:2] == ["s", header[2:][probabilities.index(max(probabilities))]]
    elif form == "jsonl":
        (found,) = lines(out)
        assert (found["id"], found["text"]) == ("s", text)
        assert found["score"] == found["probabilities"][found["label"]]
        assert sum(found["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    else:
        label, score, said = out.read_text("utf-8").strip().split(maxsplit=2)
        assert label in ("false", "treats", "causes")
        assert 0 < float(score) <= 1
        assert said == text


def test_sentences_without_marks_are_reported(relation_run, tmp_path, caplog):
    path = tmp_path / "in.tsv"
    path.write_text("@GENE$ and @DISEASE$.\nGold is a metal.\n", "utf-8")
    biobert("relations", "--model", relation_run, "--input", path, "--output", tmp_path / "out")
    assert "1 of 2 sentences have no mark" in caplog.text
    assert f"the first: {path}:2" in caplog.text


def test_failures_are_one_message(run, relation_run, tmp_path, capsys):
    path, out = tmp_path / "a.jsonl", tmp_path / "out"
    path.write_text('{"question": "Why?", "contexts": [""]}\n', "utf-8")
    ask = ("answer", "--model", run, "--input", path, "--output", out)
    assert f"{path}:1 (id '1'): contexts[0] is empty" in fails(capsys, *ask)
    assert "expected --output" in fails(capsys, *ask[:-2], "--format", "bioasq")
    path.write_text('{"question": "Why?", "contexts": ["So."]}\n', "utf-8")
    assert "cannot answer questions: has no span head" in fails(
        capsys, "answer", "--model", relation_run, *ask[3:]
    )
    path.write_text('{"text": "Gold", "entities": []}\n', "utf-8")
    classify = ("relations", "--input", path, "--output", out, "--model")
    assert f"{path}:1: found []" in fails(capsys, *classify, relation_run)
    path.write_text("@GENE$ binds @VIRUS$.\n", "utf-8")
    assert f"{path}:1: found the mark @VIRUS$" in fails(capsys, *classify, relation_run)
    assert "cannot classify relations" in fails(capsys, *classify, run)
    assert not out.exists()
    with pytest.raises(SystemExit):
        biobert(*ask, "--top", 0)
    assert "expected a whole number from 1" in capsys.readouterr().err
