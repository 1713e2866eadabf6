"""DDI from its official XML: pairs, masks, BLURB's split, and damaged files."""

import gzip
import zipfile

import pytest

from biobert_jax.datasets.relation import load_relations
from biobert_jax.datasets.relation_files import read_relations
from biobert_jax.errors import DataError

SENTENCE = """<?xml version="1.0" encoding="UTF-8"?>
<document id="{id}">
  <sentence id="{id}.s0" text="Aspirin&#xa; raises oral warfarin or acid.">
    <entity id="{id}.s0.e0" charOffset="0-6" type="drug" text="Aspirin"/>
    <entity id="{id}.s0.e1" charOffset="21-28" type="drug" text="warfarin"/>
    <entity id="{id}.s0.e2" charOffset="16-19;33-36" type="drug" text="oral acid"/>
    <pair id="{id}.s0.p0" e1="{id}.s0.e0"
        e2="{id}.s0.e1" ddi="true" type="effect"/>
    <pair id="{id}.s0.p1" e1="{id}.s0.e0" e2="{id}.s0.e2" ddi="{ddi}"/>
    <pair id="{id}.s0.p2" e1="{id}.s0.e1" e2="{id}.s0.e2" ddi="false"/>
  </sentence>
</document>
"""


def corpus(folder, replace=("", "")):
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "DDICorpus-2013.zip", "w") as archive:
        for number in range(6):
            split = "Train" if number < 4 else "Test/Test for DDI Extraction task"
            kind = "DrugBank" if number % 2 else "MedLine"
            text = SENTENCE.format(id=f"d{number}", ddi="true" if number == 0 else "false")
            if number == 0:
                text = text.replace(*replace)
            archive.writestr(f"DDICorpus/{split}/{kind}/{number}.xml", text)
        archive.writestr("DDICorpus/Test/Test for DrugNER task/DrugBank/9.xml", SENTENCE)
    return str(folder)


def test_pairs_and_their_masks(tmp_path):
    (tmp_path / "dev_files.tsv").write_text("train_dataset/DrugBank/3.xml\n")
    data = load_relations("ddi", corpus(tmp_path))
    assert data.facts["examples"] == {"train": 9, "validation": 3, "test": 6}
    assert [e.id for e in data.splits["validation"]] == ["d3.s0.p0", "d3.s0.p1", "d3.s0.p2"]
    first, wide, overlapping = data.splits["validation"]
    assert first.text == "@DRUG$  raises oral @DRUG$ or acid."
    assert wide.text == "@DRUG$  raises @DRUG$."
    assert overlapping.text == "Aspirin  raises @DRUG-DRUG$."
    assert [first.text[a:b] for a, b in first.marks] == ["@DRUG$", "@DRUG$"]
    assert (first.label, wide.label) == ("DDI-effect", "false")
    # True without a type: the guidelines' type of which nothing more is said.
    assert {e.id: e.label for e in data.splits["train"]}["d0.s0.p1"] == "DDI-int"
    assert data.scored == ["DDI-effect", "DDI-int"]


def test_without_blurbs_list_other_files_validate(tmp_path, caplog):
    folder = corpus(tmp_path, ('ddi="true"/>', 'ddi="false"/>'))
    data = load_relations("ddi", folder + "/DDICorpus-2013.zip")
    assert data.facts["examples"] == {"train": 6, "validation": 6, "test": 6}
    assert "found no dev_files.tsv beside the corpus" in caplog.text


@pytest.mark.parametrize(
    ("replace", "expected"),
    [
        (("</document>", ""), "is no XML"),
        (('e1="d0.s0.e0"', 'e1="d0.s0.e9"'), "pair 'd0.s0.p0' names the entity 'd0.s0.e9'"),
        (('"21-28"', '"21-99"'), "pair 'd0.s0.p0': found an entity"),
        (('"0-6"', '"first"'), "entity 'd0.s0.e0' is at 'first'"),
        (('ddi="false"', 'ddi="maybe"'), "has ddi='maybe'"),
    ],
)
def test_damaged_files_are_named(tmp_path, replace, expected):
    with pytest.raises(DataError) as raised:
        load_relations("ddi", corpus(tmp_path, replace))
    assert expected in str(raised.value)
    assert "MedLine/0.xml" in str(raised.value)


def test_a_list_of_other_files_is_refused(tmp_path):
    (tmp_path / "dev_files.tsv").write_text("train_dataset/DrugBank/77.xml\n")
    with pytest.raises(DataError, match=r"names 'DrugBank/77\.xml', which is no training file"):
        load_relations("ddi", corpus(tmp_path))


def test_blurbs_counts_ids_labels_and_sentences(shared_data):
    folder = shared_data / "RE" / "DDI"
    data = load_relations("ddi", str(folder))
    assert data.facts["examples"] == {"train": 25296, "validation": 2496, "test": 5716}
    squeezed = lambda text: " ".join(text.split())
    for split, file, differing in (("validation", "dev", 21), ("test", "test", 0)):
        with gzip.open(folder / "blurb" / f"{file}.tsv.gz", "rt", encoding="utf-8") as lines:
            rows = [line.rstrip("\n").split("\t") for line in lines]
        ours = {e.id: e for e in data.splits[split]}
        assert ours.keys() == {id_ for id_, _, _ in rows}
        assert all(ours[i].label == label.replace("DDI-false", "false") for i, _, label in rows)
        same = sum(squeezed(ours[id_].text) == squeezed(text) for id_, text, _ in rows)
        assert len(rows) - same == differing  # sentences with line breaks, which BLURB dropped


def test_blurbs_gad_and_a_negative_class_of_ddis_name(shared_data, tmp_path):
    data = load_relations("gad_blurb", str(shared_data / "RE" / "GAD_blurb"))
    assert data.facts["examples"] == {"train": 4261, "validation": 535, "test": 534}
    (tmp_path / "f.tsv").write_text("@DRUG$ and @DRUG$.\tDDI-false\n")
    assert read_relations(tmp_path / "f.tsv")[0].label == "false"
