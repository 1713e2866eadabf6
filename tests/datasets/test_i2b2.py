"""Clinical concept files, on invented records."""

import re

import pytest

from biobert_jax.datasets.conll import Sentence
from biobert_jax.datasets.i2b2 import read_i2b2_folder, read_record
from biobert_jax.errors import DataError

TEXT = "Admission Date :\n\nMr. Vorn denies  chest ache .\nHe took Zortine\n40 mg daily .\n"


@pytest.fixture
def record(tmp_path):
    def record(concepts, text=TEXT):
        (tmp_path / "a.txt").write_text(text)
        (tmp_path / "a.con").write_text(concepts)
        return tmp_path / "a.txt", tmp_path / "a.con"

    return record


def test_concepts_become_tags(record):
    concepts = 'c="chest ache" 3:3 3:4||t="problem"\nc="zortine" 4:2 4:2||t="treatment"\n'
    assert read_record(*record(concepts)) == [
        Sentence(("Admission", "Date", ":"), ("O",) * 3, 1),
        Sentence(
            ("Mr.", "Vorn", "denies", "chest", "ache", "."),
            ("O", "O", "O", "B-problem", "I-problem", "O"),
            3,
        ),
        Sentence(("He", "took", "Zortine"), ("O", "O", "B-treatment"), 4),
        Sentence(("40", "mg", "daily", "."), ("O",) * 4, 5),
    ]


def test_windows_line_ends_and_quotes_in_concepts(record):
    concepts = 'c="so-called "ache"" 1:1 1:2||t="problem"\r\n'
    (sentence,) = read_record(*record(concepts, 'A so-called "ache" .\r\n'))
    assert sentence.tags == ("O", "B-problem", "I-problem", "O")


@pytest.mark.parametrize(
    ("concepts", "message", "tags"),
    [
        (
            'c="zortine 40 mg" 4:2 5:1||t="treatment"',
            r"a\.con:1: 'zortine 40 mg' runs over several lines",
            [("O", "O", "B-treatment"), ("B-treatment", "I-treatment", "O", "O")],
        ),
        (
            'c="zortine" 4:2 4:2||t="treatment"\nc="took zortine" 4:1 4:2||t="test"',
            r"a\.txt:4: .*'treatment'\) overlaps a longer concept",
            [("O", "B-test", "I-test"), ("O",) * 4],
        ),
        (
            'c="other" 4:2 4:2||t="treatment"',
            r"a\.con:1: the text at 'other' is 'Zortine'",
            [("O", "O", "B-treatment"), ("O",) * 4],
        ),
    ],
)
def test_oddities_are_read_and_logged(record, caplog, concepts, message, tags):
    sentences = read_record(*record(concepts))
    assert [s.tags for s in sentences[2:]] == tags
    assert len(caplog.records) == 1
    assert re.search(message, caplog.text)


@pytest.mark.parametrize(
    ("concepts", "message"),
    [
        ('\nc="x" 1:0||t="test"', r"a\.con:2: found 'c=.*; expected a concept of the form"),
        ('c="x" 9:0 9:0||t="test"', r"a\.con:1: the concept 'x' is at 9:0 9:0, which .*a\.txt"),
        ('c="x" 0:0 0:0||t="test"', r"is at 0:0 0:0"),
        ('c="x" 1:0 1:3||t="test"', r"is at 1:0 1:3"),
        ('c="x" 1:2 1:1||t="test"', r"is at 1:2 1:1"),
        ('c="x" 2:0 2:0||t="test"', r"is at 2:0 2:0"),
    ],
)
def test_bad_concepts_are_named(record, concepts, message):
    with pytest.raises(DataError, match=message):
        read_record(*record(concepts))


def lay_out(folder, training=20):
    train = folder / "concept_assertion_relation_training_data" / "beth"
    for path in (
        train / "txt", train / "concept", folder / "test_data",
        folder / "reference_standard_for_test_data" / "concepts",
    ):  # fmt: skip
        path.mkdir(parents=True)
    for number in range(training):
        (train / "txt" / f"record-{number:02}.txt").write_text(f"train {number}\n")
        (train / "concept" / f"record-{number:02}.con").write_text("")
    # The same name as a training record, and one that nobody annotated.
    (folder / "test_data" / "record-00.txt").write_text("test 0\n")
    (folder / "test_data" / "0002.txt").write_text("unannotated\n")
    concepts = folder / "reference_standard_for_test_data" / "concepts"
    (concepts / "record-00.con").write_text('c="test" 1:0 1:0||t="test"\n')
    return train, concepts


def test_the_official_layout(tmp_path):
    lay_out(tmp_path)
    splits = read_i2b2_folder(tmp_path)
    words = {split: [" ".join(s.words) for s in sentences] for split, sentences in splits.items()}
    assert words["test"] == ["test 0"]
    assert words["devel"] == ["train 9", "train 19"]
    assert words["train"] == [f"train {n}" for n in range(20) if n not in (9, 19)]


def test_incomplete_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"found 0 training and 0 test records"):
        read_i2b2_folder(tmp_path)
    _, concepts = lay_out(tmp_path, training=9)
    with pytest.raises(DataError, match=r"found 9 training and 1 test records .* at least 10"):
        read_i2b2_folder(tmp_path)
    (concepts / "0099.con").write_text("")
    with pytest.raises(DataError, match=r"0099\.con: found no 0099\.txt among the test files"):
        read_i2b2_folder(tmp_path)
