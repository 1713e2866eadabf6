"""Texts with labels and pairs with scores: their layouts, and the messages about bad ones."""

import gzip
import json
import math

import pytest

from biobert_jax.datasets.classification import HALLMARKS, load_classification
from biobert_jax.datasets.pubmedqa import read_pubmedqa
from biobert_jax.datasets.similarity import load_similarity
from biobert_jax.datasets.text_records import parse_records, read_records
from biobert_jax.errors import DataError

LABELLED = "text\tlabel\nIt helps.\tyes\nIt does not.\tno\n"
SCORED = "pair_id\tsent1\tsent2\tscore\n7\tA b.\tA c.\t2.5\n8\tA d.\tE f.\t0\n"


def write(folder, **splits):
    folder.mkdir(parents=True, exist_ok=True)
    for split, text in splits.items():
        (folder / f"{split}.tsv").write_text(text, encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(
    ("text", "second", "labels", "several"),
    [
        ("text\tlabel\nIt helps.\tyes\n", None, ("yes",), False),
        ("Sentence\tLabels\nIt helps.\ta|b\n", None, ("a", "b"), True),
        ("labels\tsentence\n\tIt helps.\n", None, (), True),
        ("It helps.\tyes\n", None, ("yes",), False),
        ("q1\tIt helps.\tSo they say.\tyes\n", "So they say.", ("yes",), False),
        ('{"text": "It helps.", "label": 1, "else": [0]}\n', None, ("1",), False),
        ('{"text": "It helps.", "second": "No.", "labels": []}\n', "No.", (), True),
        ("labels\tsentence\tindex\n0_0,1_1,2_1\tIt helps.\t5_s0\n", None, ("1", "2"), True),
    ],
)
def test_forms_of_labels(tmp_path, text, second, labels, several):
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(text.encode()))
    [record] = read_records(tmp_path / "a.tsv.gz", "label")
    assert (record.text, record.second) == ("It helps.", second)
    assert (record.labels, record.several) == (labels, several)


def test_forms_of_scores_and_of_texts_alone():
    first, last = parse_records(SCORED, "f.tsv", "score")
    assert (first.id, first.text, first.second, first.score) == ("7", "A b.", "A c.", 2.5)
    assert (last.score, last.where) == (0.0, "f.tsv:3")
    [alone] = parse_records("One text.\n", "-")
    assert (alone.text, alone.labels, math.isnan(alone.score)) == ("One text.", (), True)


@pytest.mark.parametrize(
    ("text", "target", "expected"),
    [
        ("text\tlabel\nA.\t\n", "label", "f:2: its label is ['']"),
        ("text\tlabel\n \tyes\n", "label", "f:2: found no text"),
        ("text\tsecond\tscore\nA.\t \t1\n", "score", "f:2: found no second text"),
        ("text\tsecond\tscore\nA.\tB.\thigh\n", "score", "f:2: its score is 'high'"),
        ("text\tsecond\tscore\nA.\tB.\tnan\n", "score", "expected a number such as 2.5"),
        ("text\tsecond\nA.\tB.\n", "score", "f:1: found the header"),
        ("text\ttext\tlabel\nA.\tB.\ty\n", "label", "each once"),
        ("text\tcategory\nA.\ty\n", "label", "found 'text', as in a header, beside 'category'"),
        ("a\tb\tc\n", "label", "f:1: found 3 columns without a header"),
        ("text\tlabel\nA.\ty\tz\n", "label", "f:2: found 3 columns"),
        ("text\tlabel\nA.\ta|b\n", "label", "separate labels"),
        ('{"text": "A.", "label": "y"}\n{"text": "A.", "labels": ["y"]}', "label", "f:2: found"),
        ('{"text": "A.", "label": "y"}\n{"text": "A.", "second": "B.", "label": "y"}', "label",
         "f:2: found a pair"),
        ('{"text": "A.", "label": {}}\n', "label", "its label is [{}]"),
        ('{"text": 3, "label": "y"}\n', "label", "text is 3"),
        ('{"text": "A.", "sentence": "B.", "label": "y"}\n', "label", "another name for 'text'"),
        ('{"text": "A.", "second": "B.", "score": true}\n', "score", "its score is True"),
    ],
)  # fmt: skip
def test_bad_lines_are_named(text, target, expected):
    with pytest.raises(DataError) as raised:
        parse_records(text, "f", target)
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("train", "test", "expected"),
    [
        ("A.\tyes\nB.\tno\n", "C.\tmaybe\n", "the label 'maybe' does not occur"),
        ("A.\tyes\nB.\tyes\n", "C.\tyes\n", "every training text has the label 'yes'"),
        ("text\tlabels\nA.\t\nB.\t\n", "text\tlabels\nC.\t\n", "every training text has no label"),
        (LABELLED, "text\tlabels\nC.\tyes\n", "test and train differ"),
        (LABELLED, "text\tsecond\tlabel\nC.\tD.\tyes\n", "test has pairs"),
    ],
)
def test_sets_that_cannot_be_learned(tmp_path, train, test, expected):
    folder = write(tmp_path / "own", train=train, test=test)
    with pytest.raises(DataError) as raised:
        load_classification("own", folder)
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("train", "scale", "expected"),
    [
        (SCORED.replace("2.5", "4.5"), (0.0, 4.0), "train.tsv:2: its score is 4.5; expected 0 to"),
        (SCORED.replace("2.5", "0"), (), "every training pair has the score 0"),
        ("text\tscore\nA.\t1\n", (), "found one text; expected a pair"),
    ],
)
def test_scores_that_cannot_be_learned(tmp_path, train, scale, expected):
    folder = write(tmp_path / "own", train=train, test=SCORED)
    with pytest.raises(DataError) as raised:
        load_similarity("own", folder, scale)
    assert expected in str(raised.value)


def test_a_missing_path_says_where_the_set_is():
    with pytest.raises(DataError, match=r"'biosses'.*BLURB's data_generation"):
        load_similarity("biosses")
    with pytest.raises(DataError, match=r"ori_pqal\.json"):
        load_classification("pubmedqa")


def test_hallmarks_have_names_and_abstracts(tmp_path):
    text = "labels\tsentence\tindex\n0_1,9_1\tA.\t5_s0\n0_0,9_0\tB.\t5_s1\n0_0,3_1\tC.\t6_s0\n"
    data = load_classification("hoc", write(tmp_path / "hoc", train=text, test=text), limit=1)
    assert tuple(data.labels) == HALLMARKS
    assert [(r.labels, r.group) for r in data.splits["test"]] == [
        ((HALLMARKS[0], HALLMARKS[9]), "5"),
        ((), "5"),  # the limit is one sentence, and an abstract is not cut
    ]
    assert data.facts["groups"]["test"] == 1


def test_pubmedqa_is_split_per_label(tmp_path):
    questions = {
        str(i): {
            "QUESTION": "Is it?",
            "CONTEXTS": ["A.", "B."],
            "final_decision": ("yes", "no", "maybe")[i % 3],
        }
        for i in range(120)
    }
    (tmp_path / "ori_pqal.json").write_text(json.dumps(questions), encoding="utf-8")
    splits = read_pubmedqa(tmp_path, 1)
    ids = {split: {r.id for r in records} for split, records in splits.items()}
    assert {split: len(of) for split, of in ids.items()} == {
        "train": 54, "validation": 6, "test": 60
    }  # fmt: skip
    assert len(set.union(*ids.values())) == 120
    assert splits["test"][0].second == "A. B."
    other = {r.id for r in read_pubmedqa(tmp_path, 2)["validation"]}
    assert not other & ids["validation"]
    assert {r.id for r in read_pubmedqa(tmp_path, 2)["test"]} == ids["test"]
    questions["3"]["final_decision"] = "perhaps"
    (tmp_path / "ori_pqal.json").write_text(json.dumps(questions), encoding="utf-8")
    with pytest.raises(DataError, match="question '3'"):
        read_pubmedqa(tmp_path)


def test_the_real_sets_have_blurbs_sizes(shared_data):
    def sizes(data):
        return tuple(len(data.splits[split]) for split in ("train", "validation", "test"))

    biosses = load_similarity("biosses", str(shared_data / "STS/BIOSSES/blurb"), (0.0, 4.0))
    assert sizes(biosses) == (64, 16, 20)
    hoc = load_classification("hoc", str(shared_data / "CLS/HoC/blurb"))
    assert hoc.facts["groups"] == {"train": 1295, "validation": 186, "test": 371}
    with_abstract = {r.group for r in hoc.splits["test"] if "cellular energetics" in r.labels}
    assert len(with_abstract) == 19
    bioasq = load_classification("bioasq_yesno", str(shared_data / "QA/BioASQ/blurb-yesno"))
    assert (sizes(bioasq), bioasq.labels) == ((670, 75, 140), ["no", "yes"])


def test_pubmedqas_rule_gives_the_published_test_set(shared_data):
    path = shared_data / "pubmed_text/pubmedqa_ori_pqal.json.gz"
    data = load_classification("pubmedqa", str(path))
    published = json.loads((shared_data / "QA/PubMedQA/test_ground_truth.json").read_text("utf-8"))
    assert {r.id: r.labels[0] for r in data.splits["test"]} == published
    assert data.facts["examples"] == {"train": 450, "validation": 50, "test": 500}
