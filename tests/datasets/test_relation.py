"""Sets of marked sentences: their layouts, their folds, and what is said of bad ones."""

import gzip
import json

import pytest

from biobert_jax.datasets.relation import fold_numbers, load_relations
from biobert_jax.datasets.relation_files import read_relations
from biobert_jax.datasets.synthetic.relations import FOLDS, relation_splits
from biobert_jax.errors import DataError

POSITIVE = "@GENE$ raises the risk of @DISEASE$."
NEGATIVE = "No link of @GENE$ with @DISEASE$ was seen."
TRAIN = f"{POSITIVE}\t1\n{NEGATIVE}\t0\n"
TEST = f"index\tsentence\tlabel\n0\t{NEGATIVE}\t0\n1\tIn mice, {POSITIVE}\t1\n"


def write(folder, **splits):
    folder.mkdir(parents=True, exist_ok=True)
    for split, text in splits.items():
        (folder / f"{split}.tsv").write_text(text, encoding="utf-8")
    return folder


def ten_folds(folder):
    for number in range(1, 11):
        write(folder / str(number), train=TRAIN, dev="", test=TEST)
    return folder


def message(function, *args, **kwargs) -> str:
    with pytest.raises(DataError) as raised:
        function(*args, **kwargs)
    return str(raised.value)


def test_the_layout_of_biobert_is_read(tmp_path):
    path = str(ten_folds(tmp_path / "GAD"))
    assert fold_numbers("gad", path) == list(range(1, 11))
    assert fold_numbers("gad", path, "3") == []
    data = load_relations("gad", path, fold="3")
    assert [(e.id, e.label) for e in data.splits["train"]] == [("0", "1"), ("1", "0")]
    assert data.splits["validation"] == []
    assert [(e.id, e.text) for e in data.splits["test"]] == [
        ("0", NEGATIVE), ("1", f"In mice, {POSITIVE}")
    ]  # fmt: skip
    assert (data.labels, data.scored) == (["0", "1"], ["1"])
    marks = data.splits["test"][1].marks
    assert [data.splits["test"][1].text[a:b] for a, b in marks] == ["@GENE$", "@DISEASE$"]


def test_sentences_on_both_sides_are_counted_and_can_be_dropped(tmp_path, caplog):
    folder = str(write(tmp_path / "own", train=TRAIN + f"Odd.\t0\n{NEGATIVE}\t0\n", test=TEST))
    data = load_relations("own", folder)
    assert data.facts["repeated_sentences"] == {"validation": 0, "test": 1}
    assert data.facts["examples"] == {"train": 4, "validation": 0, "test": 2}
    assert "1 of 2 test sentences occur in train too" in caplog.text
    data = load_relations("own", folder, repeated="drop")
    assert data.facts["dropped_from_training"] == 2
    assert [e.text for e in data.splits["train"]] == [POSITIVE, "Odd."]


def test_headers_gzip_windows_line_ends_and_byte_order_marks(tmp_path):
    text = f"\ufeffsentence\tlabel\r\n{POSITIVE}\tFalse\r\n\r\n{NEGATIVE}\tCPR:3\r\n"
    path = tmp_path / "train.tsv.gz"
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
    first, second = read_relations(path)
    assert (first.id, first.text, first.label) == ("0", POSITIVE, "false")
    assert second.where == f"{path}:4"


def test_json_lines_with_marks_or_offsets(tmp_path):
    path = tmp_path / "train.jsonl"
    gene = {"start": 8, "end": 12, "type": "gene"}
    drug = {"start": 0, "end": 7, "type": "Chemical"}
    other = {"start": 17, "end": 21, "type": "gene"}
    text = "Zortine KRB1 and KRB1"
    records = [
        {"text": "[[ zortine ]] stops << KRB1 >>", "label": "INHIBITOR", "metadata": []},
        {"id": "x", "text": text, "entities": [gene, drug], "label": 1},
        {"text": text, "entities": [gene, drug, other], "pair": [1, 2], "label": "a"},
    ]
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    masked, pair, chosen = read_relations(path)
    assert (masked.label, masked.marks) == ("INHIBITOR", ((0, 13), (20, 30)))
    assert (pair.id, pair.text, pair.label) == ("x", "@CHEMICAL$ @GENE$ and KRB1", "1")
    assert chosen.text == "@CHEMICAL$ KRB1 and @GENE$"
    wrapped = read_relations(path, "wrap")[1].text
    assert wrapped == "<CHEMICAL> Zortine </CHEMICAL> <GENE> KRB1 </GENE> and KRB1"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("just one column", "found 1 column in 'just one column'; expected `sentence<TAB>label`"),
        ("a\tb\tc\td", "found 4 columns"),
        ("text\t ", "found no label"),
        (" \t1", "found no sentence"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, said):
    path = tmp_path / "train.tsv"
    path.write_text(TRAIN + line + "\n", encoding="utf-8")
    found = message(read_relations, path)
    assert found.startswith(f"{path}:3: ")
    assert said in found


def test_a_header_of_other_names_is_refused(tmp_path):
    path = tmp_path / "train.tsv"
    path.write_text("sentence\tscore\tlabel\na\tb\tc\n")
    assert "found the header 'sentence\\tscore\\tlabel'" in message(read_relations, path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "Zortine sto', "the JSON ends in the middle"),
        ("[1]", "expected an object"),
        ('{"text": "a"}', '"label" that are not empty'),
        ('{"text": " ", "label": 1}', 'expected a "text"'),
        ('{"text": "ab", "label": 1, "entities": []}', "0 entities and no pair"),
        ('{"text": "ab", "label": 1, "entities": [{"start": 0}, {}]}', "KeyError: 'end'"),
    ],
)
def test_bad_records_are_named(tmp_path, line, said):
    path = tmp_path / "train.jsonl"
    path.write_text('{"text": "a", "label": "0"}\n' + line + "\n", encoding="utf-8")
    found = message(read_relations, path)
    assert found.startswith(f"{path}:2: ")
    assert said in found


def test_offsets_outside_the_text_name_file_and_record(tmp_path):
    path = tmp_path / "train.jsonl"
    entities = [{"start": 0, "end": 1, "type": "A"}, {"start": 3, "end": 9, "type": "B"}]
    record = {"id": "p7", "text": "short", "entities": entities, "label": "0"}
    path.write_text(json.dumps(record))
    found = message(read_relations, path)
    assert found.startswith(f"{path}:1: record 'p7': found an entity of type 'B' at 3:9")


def test_a_missing_fold_is_named(tmp_path):
    folder = ten_folds(tmp_path / "GAD")
    (folder / "7").rename(tmp_path / "elsewhere")
    for found in (
        message(fold_numbers, "gad", str(folder)),
        message(load_relations, "gad", str(folder), fold=7),
    ):
        assert found.startswith(f"{folder / '7'}: the folder of fold 7 is missing; found 1, 2, 3")
    assert "expected 'all', or the number" in message(
        load_relations, "gad", str(folder), fold="seven"
    )


def test_missing_files_and_doubtful_ones_are_named(tmp_path):
    folder = write(tmp_path / "own", train=TRAIN)
    found = message(load_relations, "own", str(folder))
    assert found.startswith(f"{folder}: found train.tsv; expected also test.tsv")
    write(folder, test=TEST, dev=TRAIN, devel=TRAIN)
    assert "dev.tsv, devel.tsv could each be" in message(load_relations, "own", str(folder))
    assert "no such folder" in message(load_relations, "own", str(tmp_path / "nowhere"))
    assert "found a file" in message(load_relations, "own", str(folder / "test.tsv"))
    write(folder, train="")
    (folder / "dev.tsv").unlink()
    assert "no example in this file" in message(load_relations, "own", str(folder))


def test_a_label_unseen_in_training_is_named(tmp_path):
    folder = write(tmp_path / "own", train=TRAIN, test=TEST + "2\tOdd.\t2\n")
    found = message(load_relations, "own", str(folder))
    assert found.startswith(f"{folder / 'test.tsv'}:4: the label '2' does not occur")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"marking": "bold"}, "dataset.marking is 'bold'"),
        ({"repeated": "hide"}, "dataset.repeated is 'hide'"),
        ({"scored": ("9",)}, "dataset.scored: 9 to score among the classes 0, 1"),
    ],
)
def test_bad_settings_are_named(tmp_path, settings, said):
    folder = write(tmp_path / "own", train=TRAIN, test=TEST)
    assert said in message(load_relations, "own", str(folder), **settings)


def test_sets_that_cannot_be_downloaded_say_which_file_to_put_where():
    found = message(load_relations, "chemprot")
    assert "--config.dataset.path=FOLDER/ChemProt_Corpus.zip" in found
    assert "no relation extraction set of this name" in message(load_relations, "gda")


def test_generated_folds_share_no_document():
    tested = []
    for fold in range(1, FOLDS + 1):
        splits = relation_splits(fold, binary=True)
        documents = {s: {e.id.split(".")[0] for e in splits[s]} for s in ("train", "test")}
        assert not documents["train"] & documents["test"]
        tested += sorted(documents["test"])
        assert {e.label for e in splits["train"]} == {"0", "1"}
        assert all(len(e.marks) == 2 for e in splits["test"])
    assert len(tested) == len(set(tested))
    assert {e.label for e in relation_splits()["test"]} == {"false", "treats", "causes"}


@pytest.mark.parametrize(
    ("name", "folder", "count", "positive", "repeated"),
    [("gad", "GAD", 5330, 2801, (1, 28)), ("euadr", "euadr", 355, 262, (0, 0))],
)
def test_real_folds_have_their_published_sizes(
    shared_data, name, folder, count, positive, repeated
):
    path = str(shared_data / "RE" / folder)
    tested, overlaps = [], []
    for fold in fold_numbers(name, path):
        data = load_relations(name, path, fold)
        assert len(data.splits["train"]) + len(data.splits["test"]) == count
        assert all(len(e.marks) == 2 for e in data.splits["train"])
        tested += data.splits["test"]
        overlaps.append(data.facts["repeated_sentences"]["test"])
    assert len(tested) == count
    assert sum(e.label == "1" for e in tested) == positive
    assert (min(overlaps), max(overlaps)) == repeated
