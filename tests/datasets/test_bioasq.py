"""BioASQ's files: both forms, the way from one to the other, and the folders they come in."""

import json
from collections import Counter

import pytest

from biobert_jax.datasets.bioasq import (
    find_answers,
    question_id,
    read_official,
    read_passages,
    to_passages,
    without,
    write_submission,
)
from biobert_jax.datasets.qa import load_splits
from biobert_jax.datasets.squad import Answer
from biobert_jax.errors import DataError

ID = "5a0000000000000000000001"


def official(**changes):
    record = {
        "id": ID,
        "body": "Which gene is mutated?",
        "type": "factoid",
        "exact_answer": [["KRT1", "keratin 1"]],
        "snippets": [
            {"text": "Mutations of KRT17 were found."},
            {"text": "Keratin  1 (KRT1) was mutated, and KRT1 alone."},
            {"text": "   "},
            {"text": "It is (krt1)."},
        ],
    }
    return record | changes


def read(tmp_path, *records):
    path = tmp_path / "golden.json"
    path.write_text(json.dumps({"questions": list(records)}), encoding="utf-8")
    return read_official(path)


def test_answers_are_found_as_whole_words_and_given_as_written(tmp_path):
    questions = read(tmp_path, official())
    made = to_passages(questions, training=True)
    assert [(q.id, q.answers) for q in made.questions] == [
        (f"{ID}_001", (Answer(12, "KRT1"),)),  # the first synonym, at its first place
        (f"{ID}_002", (Answer(7, "krt1"),)),
    ]
    for question in made.questions:
        for answer in question.answers:
            assert question.context[answer.start : answer.end] == answer.text
    assert (made.unanswerable, made.skipped) == ([], 1)
    test = to_passages(questions, training=False).questions
    assert [(q.id[-4:], q.answers) for q in test] == [("_001", ()), ("_002", ()), ("_003", ())]


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("IL-22 and IL-2.", "IL-2", Answer(10, "IL-2")),
        ("the (+) strand", "(+)", Answer(4, "(+)")),
        ("a\nkeratin\n 1 gene", "Keratin 1", Answer(2, "keratin\n 1")),
        ("STRASSE", "straße", None),
        ("none", " ", None),
        ("μ-opioid", "μ", Answer(0, "μ")),
    ],
)
def test_where_an_answer_stands(text, name, found):
    assert find_answers(text, [[name]]) == ([found] if found else [])


def test_a_list_question_gives_a_pair_for_every_entity(tmp_path):
    record = official(type="list", exact_answer=[["KRT1"], ["KRT17"], ["absent"]])
    made = to_passages(read(tmp_path, record), training=True)
    assert [q.answers[0].text for q in made.questions] == ["KRT17", "KRT1", "krt1"]
    assert [q.id[-3:] for q in made.questions] == ["001", "002", "003"]


def test_unanswerable_questions_are_left_out_of_training_and_named(tmp_path):
    questions = read(tmp_path, official(exact_answer=[["two years"]]))
    assert to_passages(questions, training=True) == ([], [ID], 3)
    made = to_passages(questions, training=False)
    assert (len(made.questions), made.unanswerable) == (3, [ID])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "5a01"}, "an id of 4 characters; expected 24"),
        ({"type": "essay"}, "found the type 'essay'; expected one of factoid"),
        ({"type": "yesno", "exact_answer": "perhaps"}, "expected 'yes' or 'no'"),
        ({"exact_answer": [["a", 1]]}, "expected a list of entities"),
        ({"exact_answer": {"a": 1}}, "expected a list of entities"),
        ({"snippets": [{}]}, r"snippets\[0\]: found no 'text'"),
    ],
)
def test_bad_official_records_are_named(tmp_path, changes, message):
    with pytest.raises(DataError, match=message) as error:
        read(tmp_path, official(), official(**changes))
    assert "golden.json: questions[1]" in str(error.value)


@pytest.mark.parametrize("id_", [ID, f"{ID}_1", f"{ID}-001", f"{ID}0_001", f"{ID}_0001"])
def test_an_id_of_the_wrong_form_is_named(tmp_path, id_):
    paragraph = {"context": "Text.", "qas": [{"id": id_, "question": "What?"}]}
    path = tmp_path / "test.json"
    path.write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}), encoding="utf-8")
    good = tmp_path / "good.json"
    good.write_text(path.read_text("utf-8").replace(id_, f"{ID}_001"), encoding="utf-8")
    said = rf"test\.json: data\[0\].paragraphs\[0\].qas\[0\]: found the id '{id_}'; expected 24"
    with pytest.raises(DataError, match=said):
        read_passages([good, path])


@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
def test_an_official_file_cut_off_says_so(tmp_path, share):
    whole = json.dumps({"questions": [official()]})
    path = tmp_path / "golden.json"
    path.write_text(whole[: int(share * len(whole))], encoding="utf-8")
    with pytest.raises(DataError, match=r"golden\.json:1: the JSON ends in the middle"):
        read_official(path)


def test_a_submission_mentions_every_question(tmp_path):
    path = tmp_path / "predictions" / "bioasq.json"
    write_submission(path, "factoid", {ID: ["KRT1", "µ"], "b": []})
    first, second = json.loads(path.read_text(encoding="utf-8"))["questions"]
    assert first["exact_answer"] == [["KRT1"], ["µ"]]
    assert (first["id"], first["type"], second["exact_answer"]) == (ID, "factoid", [])


def test_a_folder_without_the_golden_files_is_reported(tmp_path):
    with pytest.raises(DataError, match=r"no golden file of 6b; expected 6B1_golden\.json"):
        load_splits("bioasq_6b", str(tmp_path), "factoid")
    with pytest.raises(DataError, match=r"found no train\*\.json and no dev\*\.json"):
        load_splits("squad", str(tmp_path))
    with pytest.raises(DataError, match=r"no dataset\.path"):
        load_splits("bioasq_6b", "", "factoid")


# ---- The real files.


@pytest.fixture(scope="module")
def bioasq(shared_data):
    return shared_data / "QA" / "BioASQ"


@pytest.mark.parametrize(
    ("year", "pairs", "questions"),
    [
        ("4b", (167, 152, 100, 116, 117), (39, 31, 26, 31, 34)),
        ("5b", (91, 121, 88, 94, 101), (25, 31, 26, 33, 35)),
        ("6b", (121, 78, 93, 88, 145), (31, 21, 32, 33, 44)),
    ],
)
def test_test_files_agree_with_the_golden_ones(bioasq, year, pairs, questions):
    for batch in range(1, 6):
        read_ = read_passages(bioasq / f"BioASQ-test-factoid-{year}-{batch}.json")
        ids = {question_id(question.id) for question in read_}
        assert (len(read_), len(ids)) == (pairs[batch - 1], questions[batch - 1])
        golden = read_official(bioasq / f"{year.upper()}{batch}_golden.json")
        assert {q.id for q in golden if q.type == "factoid"} == ids


def test_7b_and_what_it_shares_with_the_tests(bioasq):
    train = read_passages(bioasq / "BioASQ-train-factoid-7b.json")
    ids = {question_id(question.id) for question in train}
    assert (len(train), len(ids)) == (4231, 530)
    tests = {}
    for year in ("4", "5", "6"):
        golden = [q for b in range(1, 6) for q in read_official(bioasq / f"{year}B{b}_golden.json")]
        tests[year] = {q.id for q in golden if q.type == "factoid"}
    assert {year: len(of_year & ids) for year, of_year in tests.items()} == {
        "4": 112,
        "5": 110,
        "6": 114,
    }
    left = without(train, set().union(*tests.values()))
    assert (len(left), len({question_id(q.id) for q in left})) == (1747, 194)
    golden = read_official(bioasq / "7B_golden.json")
    counts = Counter(question.type for question in golden)
    assert counts == {"factoid": 162, "yesno": 140, "list": 88, "summary": 110}
    assert not ids & {question.id for question in golden}
    for name, pairs in (
        ("BioASQ-test-factoid-7b.json", 512),
        ("BioASQ-test-yesno-7b.json", 488),
        ("full-abstract/BioASQ-test-factoid-7b.json", 407),
    ):
        assert len(read_passages(bioasq / name)) == pairs


def test_a_test_question_is_never_trained_on(bioasq):
    splits = load_splits("bioasq_6b", str(bioasq), "factoid", validation_share=0.1)
    trained = {question_id(q.id) for q in splits.questions["train"]}
    held_out = {question_id(q.id) for q in splits.questions["validation"]}
    tested = {question_id(q.id) for q in splits.questions["test"]}
    assert (len(trained), len(held_out), len(tested)) == (175, 19, 161)
    assert trained.isdisjoint(held_out | tested)
    assert held_out.isdisjoint(tested)
    assert list(splits.gold["test"]) == ["6B1", "6B2", "6B3", "6B4", "6B5"]
    assert set(splits.gold["validation"]["validation"]) == held_out


def test_the_converter_gives_spans_that_stand_there(bioasq):
    golden = [q for path in bioasq.glob("*_golden.json") for q in read_official(path)]
    for kind, answerable in (("factoid", 472), ("list", 300)):
        asked = [question for question in golden if question.type == kind]
        made = to_passages(asked, training=True)
        assert len(asked) - len(made.unanswerable) > 0.6 * answerable
        assert {question_id(q.id) for q in made.questions}.isdisjoint(made.unanswerable)
        synonyms = {q.id: {s.lower() for e in q.exact_answer for s in e} for q in asked}
        for question in made.questions:
            (answer,) = question.answers
            assert question.context[answer.start : answer.end] == answer.text
            written = " ".join(answer.text.lower().split())
            normal = {" ".join(s.split()) for s in synonyms[question_id(question.id)]}
            assert written in normal
