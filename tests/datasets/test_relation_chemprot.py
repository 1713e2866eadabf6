"""The official ChemProt files: pairs within sentences, and the files' quirks."""

import io
import zipfile
from collections import Counter

import pytest

from biobert_jax.datasets.relation import load_relations
from biobert_jax.datasets.relation_chemprot import SCORED, join_sentences, read_chemprot
from biobert_jax.datasets.relation_files import read_relations
from biobert_jax.errors import DataError

TITLE = "Zortine and KRB1"
ABSTRACT = "Zortine inhibits KRB1 kinase. The β-form of velaxin binds KRB1. No drug was lost."
TEXT = f"{TITLE} {ABSTRACT}"


def spot(written, nth=0):
    start = -1
    for _ in range(nth + 1):
        start = TEXT.index(written, start + 1)
    return start, start + len(written)


ENTITIES = {
    "T1": ("CHEMICAL", "Zortine", 0),
    "T2": ("GENE-Y", "KRB1", 0),
    "T3": ("CHEMICAL", "Zortine", 1),
    "T4": ("GENE-N", "KRB1 kinase", 0),
    "T5": ("CHEMICAL", "velaxin", 0),
    "T6": ("GENE-Y", "KRB1", 2),
    "T7": ("GENE-N", "β-form of velaxin", 0),
}
RELATIONS = (
    "9\tCPR:4\tY \tINHIBITOR\tArg1:T3\tArg2:T4\n"
    "9\tCPR:4\tY \tANTAGONIST\tArg1:T3\tArg2:T4\n"  # the same group again
    "9\tCPR:9\tY \tSUBSTRATE\tArg1:T3\tArg2:T4\n"  # a second relation of the pair
    "9\tCPR:0\tN \tUNDEFINED\tArg1:T5\tArg2:T6\n"
    "9\tCPR:3\tY \tACTIVATOR\tArg1:T3\tArg2:T6\n"  # in another sentence
)


def files(relations=RELATIONS, entities=ENTITIES):
    rows = []
    for name, (kind, written, nth) in entities.items():
        start, end = spot(written, nth)
        rows.append(f"9\t{name}\t{kind}\t{start}\t{end}\t{written}")
    out = {}
    for part, suffix in (("training", ""), ("development", ""), ("test", "_gs")):
        folder = f"chemprot_{part}{suffix}"
        out |= {
            f"{folder}/chemprot_{part}_abstracts{suffix}.tsv": f"9\t{TITLE}\t{ABSTRACT}\n",
            f"{folder}/chemprot_{part}_entities{suffix}.tsv": "\n".join(rows) + "\n",
            f"{folder}/chemprot_{part}_relations{suffix}.tsv": relations,
        }
    return out


def zipped(content) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def corpus(tmp_path, **changes):
    path = tmp_path / "ChemProt_Corpus.zip"
    content = {f"ChemProt_Corpus/{name}": text for name, text in files(**changes).items()}
    path.write_bytes(zipped(content))
    return path


def test_every_pair_of_a_sentence_is_a_candidate(tmp_path):
    part = read_chemprot(corpus(tmp_path))["test"]
    found = {e.id: (e.label, e.text) for e in part.examples}
    assert found == {
        "9.T1.T2": ("false", "@CHEMICAL$ and @GENE$"),
        "9.T3.T4": ("CPR:4", "@CHEMICAL$ inhibits @GENE$."),
        "9.T5.T6": ("false", "The β-form of @CHEMICAL$ binds @GENE$."),
        "9.T5.T7": ("false", "The @CHEM-GENE$ binds KRB1."),
    }
    assert part.relations == 3
    assert part.unreached == {"CPR:9": 1, "CPR:3": 1}
    assert (part.second, part.crossing) == (1, 1)


def test_zip_folder_and_zips_within_the_zip_say_the_same(tmp_path):
    expected = read_chemprot(corpus(tmp_path))["train"].examples
    folder = tmp_path / "unpacked"
    parts = {}
    for name, text in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
        parts.setdefault(name.split("/")[0], {})[name] = text
    nested = tmp_path / "nested.zip"
    inner = {f"ChemProt_Corpus/{part}.zip": zipped(content) for part, content in parts.items()}
    inner["__MACOSX/ChemProt_Corpus/._chemprot_training.zip"] = b"not a zip"
    nested.write_bytes(zipped(inner))
    for path in (folder, nested):
        examples = read_chemprot(path)["train"].examples
        assert [e[:4] for e in examples] == [e[:4] for e in expected]
    data = load_relations("chemprot", str(folder), marking="wrap")
    assert data.labels == ["false", "CPR:4"]
    assert data.splits["train"][1].text == "<CHEMICAL> Zortine </CHEMICAL> inhibits " + (
        "<GENE> KRB1 kinase </GENE>."
    )
    assert data.unreached["test"] == {"CPR:9": 1, "CPR:3": 1}


def test_a_mention_over_a_boundary_joins_its_sentences():
    sentences = [(0, 9), (10, 19), (20, 29), (30, 39)]
    assert join_sentences(sentences, []) == sentences
    assert join_sentences(sentences, [(2, 9), (10, 12), (30, 39)]) == sentences
    assert join_sentences(sentences, [(8, 12)]) == [(0, 19), (20, 29), (30, 39)]
    assert join_sentences(sentences, [(18, 31)]) == [(0, 9), (10, 39)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"relations": "9\tCPR:4\tY \tX\tArg1:T3\tArg2:T99\n"},
            "_relations.tsv:1: found arguments",
        ),
        ({"relations": "9\tCPR:4\tY \tX\n"}, "_relations.tsv:1: found 4 columns"),
    ],
)
def test_bad_lines_are_named(tmp_path, changes, said):
    with pytest.raises(DataError, match=said):
        read_chemprot(corpus(tmp_path, **changes))


def test_offsets_that_do_not_fit_the_text_are_named(tmp_path):
    path = corpus(tmp_path)
    content = files()
    name = "chemprot_training/chemprot_training_entities.tsv"
    content[name] = content[name].replace("\t0\t7\t", "\t1\t8\t")
    path.write_bytes(zipped(content))
    with pytest.raises(DataError, match=r"entities.tsv:1: found 'Zortine' at 1:8 of abstract 9"):
        read_chemprot(path)


def test_damaged_and_incomplete_archives_are_named(tmp_path):
    path = corpus(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    with pytest.raises(DataError, match=r"ChemProt_Corpus.zip: cannot be read"):
        read_chemprot(path)
    content = files()
    del content["chemprot_test_gs/chemprot_test_relations_gs.tsv"]
    path.write_bytes(zipped(content))
    with pytest.raises(DataError, match=r"found no files called chemprot_test_relations.tsv or"):
        read_chemprot(path)


def test_a_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("biobert_jax.datasets.archive.LARGEST", 1000)
    path = corpus(tmp_path, relations=RELATIONS * 100)
    with pytest.raises(DataError, match=r"_relations.tsv: more than 1,000 bytes"):
        read_chemprot(path)


@pytest.mark.slow
def test_the_real_corpus_has_its_relations_and_those_of_blue(shared_data):
    folder = shared_data / "RE" / "CHEMPROT"
    parts = read_chemprot(folder / "ChemProt_Corpus.zip")
    sizes = {split: (part.abstracts, part.relations) for split, part in parts.items()}
    assert sizes == {"train": (1020, 4157), "validation": (612, 2416), "test": (800, 3458)}
    for part in parts.values():
        reached = Counter(e.label for e in part.examples if e.label in SCORED)
        assert reached.total() + part.unreached.total() == part.relations
        assert part.unreached.total() == part.crossing + part.second
        assert part.unreached.total() < 0.01 * part.relations
    # BLUE's own splitting gave its pairs; where both have a pair, they must say the same of it.
    blue = {e.id: e for e in read_relations(folder / "blue" / "dev.tsv.gz")}
    ours = {e.id: e for e in parts["validation"].examples}
    both = blue.keys() & ours.keys()
    assert len(both) > 0.95 * len(blue)
    assert all(blue[i].label == ours[i].label for i in both)
    overlapping = [sum("@CHEM-GENE$" in e.text for e in es.values()) for es in (blue, ours)]
    assert overlapping == [946, 946]


def test_the_real_masked_forms_have_their_counts(shared_data):
    folder = shared_data / "RE" / "CHEMPROT"
    data = load_relations("chemprot", str(folder / "bc6-masked"))
    assert data.facts["examples"] == {"train": 16521, "validation": 10361, "test": 14396}
    assert (data.labels, data.scored) == (["false", *SCORED], list(SCORED))
    counts = Counter(e.label for e in data.splits["test"])
    assert [counts[label] for label in SCORED] == [664, 1658, 183, 292, 644]
    data = load_relations("chemprot", str(folder / "scibert-jsonl"))
    assert data.facts["examples"] == {"train": 4169, "validation": 2427, "test": 3469}
    assert len(data.labels) == 13
    assert data.scored == data.labels
    assert all(len(e.marks) == 2 for examples in data.splits.values() for e in examples)
