"""SQuAD-like files: what is read, and what is said of bad ones."""

import copy
import gzip
import json

import pytest

from biobert_jax.datasets.squad import Answer, read_squad, split_by_article
from biobert_jax.errors import DataError

CONTEXT = "Corolol – 5 µg – eased gout. Corolol did not ease rash."
GOOD = {
    "version": "1.1",
    "data": [
        {
            "title": "Corolol",
            "paragraphs": [
                {
                    "context": CONTEXT,
                    "qas": [
                        {
                            "id": "q1",
                            "question": "What did corolol ease?",
                            "answers": [
                                {"text": "gout", "answer_start": 23},
                                {"text": "gout.", "answer_start": 23},
                            ],
                        },
                        {"id": "q2", "question": "At which dose?"},
                    ],
                }
            ],
        }
    ],
}


def write(path, content):
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def changed(change):
    content = copy.deepcopy(GOOD)
    change(content["data"][0]["paragraphs"][0])
    return content


def test_questions_come_with_their_passages_and_answers(tmp_path):
    first, second = read_squad(write(tmp_path / "train.json", GOOD))
    assert first.answers == (Answer(23, "gout"), Answer(23, "gout."))
    assert CONTEXT[first.answers[0].start : first.answers[0].end] == "gout"
    assert (first.title, second.answers) == ("Corolol", ())


def test_parts_are_read_as_one_set_and_gzip_as_it_is(tmp_path):
    part = tmp_path / "b.json.gz"
    other = changed(lambda p: [q.update(id=q["id"] + "b") for q in p["qas"]])
    part.write_bytes(gzip.compress(json.dumps(other).encode(), mtime=0))
    questions = read_squad([write(tmp_path / "a.json", GOOD), part])
    assert [question.id for question in questions] == ["q1", "q2", "q1b", "q2b"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda p: p["qas"][0]["answers"][0].update(answer_start=24),
            r"qas\[0\] \(id 'q1'\)\.answers\[0\]: the passage has 'out\.' at character 24; "
            r"expected 'gout' there \(it is at 23\)",
        ),
        (
            lambda p: p["qas"][0]["answers"][0].update(text="gouty"),
            "the passage does not contain it",
        ),
        (
            lambda p: p["qas"][0]["answers"][0].update(answer_start=-4),
            "expected 'gout' there",
        ),
        (lambda p: p["qas"][0]["answers"][0].update(text=" "), "the answer is empty"),
        (
            lambda p: p["qas"][0]["answers"][0].update(answer_start="23"),
            "found 'answer_start': \"23\"; expected 'answer_start' with a whole number",
        ),
        (lambda p: p.update(context=" \n"), r"paragraphs\[0\]: the passage is empty"),
        (lambda p: p["qas"][1].update(question=""), "the question is empty"),
        (lambda p: p["qas"][1].update(id="q1"), "found the id 'q1', which .* has already"),
        (lambda p: p["qas"][1].pop("question"), "no 'question' among 'id'"),
        (lambda p: p["qas"].append("q3"), r"qas\[2\]: found str instead of an object"),
    ],
)
def test_bad_records_are_named(tmp_path, change, message):
    with pytest.raises(DataError, match=message) as error:
        read_squad(write(tmp_path / "train.json", changed(change)))
    assert "train.json: data[0].paragraphs[0]" in str(error.value)


@pytest.mark.parametrize("share", [0.3, 0.5, 0.9, 0.99])
def test_a_file_cut_off_says_so(tmp_path, share):
    whole = json.dumps(GOOD)
    path = tmp_path / "train.json"
    path.write_text(whole[: int(share * len(whole))], encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.json:1: the JSON ends in the middle"):
        read_squad(path)


def test_broken_json_is_distinguished_from_json_cut_off(tmp_path):
    path = tmp_path / "train.json"
    path.write_text('{"data": [\n1 2\n]}', encoding="utf-8")
    with pytest.raises(DataError, match=r"train\.json:2: not JSON \(.* at column 3\)"):
        read_squad(path)


def test_articles_are_held_out_whole(tmp_path):
    questions = [
        question._replace(title=title, id=f"{title}{n}")
        for title in "abcde"
        for n, question in enumerate(read_squad(write(tmp_path / "a.json", GOOD)) * 5)
    ]
    kept, held_out = split_by_article(questions, 0.2)
    assert {q.title for q in kept}.isdisjoint({q.title for q in held_out})
    assert (len(kept), len(held_out)) == (40, 10)
    assert split_by_article(questions, 0.2) == (kept, held_out)
    choices = {split_by_article(questions, 0.2, seed)[1][0].title for seed in range(20)}
    assert len(choices) > 1
    with pytest.raises(DataError, match="found 1 article titles"):
        split_by_article(questions[:10], 0.2)


def test_the_dev_set_of_squad_is_complete(shared_data):
    folder = shared_data / "QA" / "SQuAD"
    parts = [read_squad(folder / f"dev-v1.1.part{number}.json") for number in (1, 2)]
    assert [len(part) for part in parts] == [4961, 5609]
    assert [len({q.title for q in part}) for part in parts] == [24, 24]
    for question in (*parts[0], *parts[1], *read_squad(folder / "xquad.en.json")):
        assert question.answers
        for answer in question.answers:
            assert question.context[answer.start : answer.end] == answer.text
