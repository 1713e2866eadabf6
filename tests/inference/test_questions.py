import json

import pytest

from biobert_jax.errors import DataError
from biobert_jax.inference.questions import Asked, read_questions

ID = "5a1b" * 6
GOOD = {"question": "Which metal?", "contexts": ["Gold is a metal."]}


def asked(path, question=None):
    return list(read_questions(str(path), question))


def test_one_question_is_asked_of_all_lines(tmp_path):
    path = tmp_path / "passages.txt"
    path.write_text("Gold is a metal.\n\nIt is old.\n", "utf-8")
    assert asked(path, "Which?") == [Asked("1", "Which?", ("Gold is a metal.", "It is old."))]


def test_json_lines_have_one_context_or_several(tmp_path):
    path = tmp_path / "questions.jsonl"
    records = [GOOD | {"id": 7}, {"question": "Why?", "context": "So."}]
    path.write_text("\n".join(map(json.dumps, records)), "utf-8")
    assert asked(path) == [
        Asked("7", "Which metal?", ("Gold is a metal.",)),
        Asked("2", "Why?", ("So.",)),
    ]


def test_official_json_and_biobert_s_form_of_it_give_the_same_questions(tmp_path):
    official, squad = tmp_path / "official.json", tmp_path / "squad.json"
    snippets = [{"text": "Gold is a metal."}, {"text": "It is old."}]
    question = {"id": ID, "type": "factoid", "body": "Which?", "snippets": snippets}
    official.write_text(json.dumps({"questions": [question]}), "utf-8")
    paragraphs = [
        {"context": s["text"], "qas": [{"id": f"{ID}_00{n}", "question": "Which?"}]}
        for n, s in enumerate(snippets, start=1)
    ]
    squad.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), "utf-8")
    (one,), (other,) = asked(official), asked(squad)
    assert one == Asked(ID, "Which?", ("Gold is a metal.", "It is old."), "factoid")
    assert other == one._replace(type="")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (json.dumps(GOOD)[:-9], "a.jsonl:2: the JSON ends in the middle"),
        ("[1]", "a.jsonl:2: found '[1]"),
        ('{"question": "Why?"}', "a.jsonl:2: found"),
        ('{"question": " ", "context": "So."}', "a.jsonl:2 (id '2'): the question is empty"),
        (
            '{"id": "q", "question": "Why?", "contexts": ["So.", " "]}',
            "a.jsonl:2 (id 'q'): contexts[1] is empty",
        ),
    ],
)
def test_bad_records_are_reported_by_file_and_line(tmp_path, line, said):
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + line + "\n", "utf-8")
    with pytest.raises(DataError) as raised:
        asked(path)
    assert said in str(raised.value)


def test_an_empty_question_or_file_is_refused(tmp_path):
    path = tmp_path / "passages.txt"
    path.write_text("\n", "utf-8")
    with pytest.raises(DataError, match=r"passages.txt: no passage in it"):
        asked(path, "Which?")
    with pytest.raises(DataError, match="the question is empty"):
        asked(path, " ")
    path = tmp_path / "passages.jsonl"
    path.write_text('{"text": ""}', "utf-8")
    with pytest.raises(DataError, match=r"passages.jsonl: a passage is empty"):
        asked(path, "Which?")
