"""Test sentences are found in running text however they were tokenised, and little else is."""

import json

import pytest

from biobert_jax.corpora.build.pipeline import BuildOptions, build_corpus
from biobert_jax.corpora.decontaminate import (
    contained_sentences,
    find_contamination,
    index_sentences,
    read_benchmark,
    read_pmids,
)
from biobert_jax.corpora.readers.documents import Document
from biobert_jax.corpora.readers.inputs import ReaderOptions
from biobert_jax.errors import DataError
from biobert_jax.text.wordpiece_trainer import write_vocabulary

TOKENISED = (
    "In eleven families with late - onset tremor , a new ( c.12A > G ) variant of GENX1 "
    "segregated with disease ."
)
RUNNING = (
    "In eleven families with late-onset tremor, a new (c.12A>G) variant of GENX1 segregated "
    "with disease."
)
OTHER = "Seventeen rats were fed a diet without zinc for six weeks and then weighed every morning ."


def document(text: str, title: str = "") -> Document:
    return Document("1", title, (text,), "file")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"We looked. {RUNNING} And so on.", [0]),
        (RUNNING.upper(), [0]),
        (RUNNING.replace("GENX1", "GENX-1"), [0]),  # one word differs
        (RUNNING.replace("families", "pedigrees").replace("GENX1", "it"), []),  # half of it does
        ("In eleven families with late-onset tremor we found nothing new at all.", []),
        (f"{OTHER} {RUNNING}", [0, 1]),
        ("Short.", []),
    ],
)
def test_finds_sentences_in_running_text(text, expected):
    shingles = index_sentences([TOKENISED, OTHER, "Patients and methods :"])
    assert shingles.totals.tolist() == [11, 9, 0]
    assert contained_sentences(document(text), shingles) == expected


def test_share_is_of_the_sentence_and_a_title_counts():
    shingles = index_sentences([TOKENISED])
    begin = " ".join(RUNNING.split()[:12])
    assert contained_sentences(document(begin), shingles, share=0.5) == [0]
    assert contained_sentences(document(begin), shingles, share=1.0) == []
    assert contained_sentences(document("Nothing.", title=RUNNING), shingles, share=1.0) == [0]


@pytest.fixture
def corpus_file(tmp_path):
    lines = [
        {"id": "a", "text": f"It was known before. {RUNNING} We conclude that it matters a lot."},
        {"id": "b", "text": "Nothing here was ever taken from a benchmark's test sentences, ever."},
        {"id": "c", "text": OTHER},
    ]
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_reports_and_drops(tmp_path, corpus_file):
    folder = tmp_path / "NER"
    folder.mkdir()
    for split in ("train", "devel", "test"):
        text = OTHER if split == "train" else TOKENISED
        words = "".join(f"{word}\tO\n" for word in text.split())
        (folder / f"{split}.tsv").write_text(f"{words}\nPatients\tO\n\n")
    names = {"ner": read_benchmark(folder)}
    found = find_contamination([str(corpus_file)], ReaderOptions("text"), names)
    assert found.documents == 3
    assert found.excluded == ["a"]
    assert found.benchmarks == {
        "ner": {"sentences": 2, "too_short": 1, "found": 1, "documents": 1},
    }

    exclusions, vocab = tmp_path / "exclude.txt", tmp_path / "vocab.txt"
    exclusions.write_text("".join(f"{name}\n" for name in found.excluded))
    write_vocabulary(vocab, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Nothing", "here"])
    options = BuildOptions(ReaderOptions("text"), str(vocab), exclude=str(exclusions))
    corpus = build_corpus([str(corpus_file)], tmp_path / "out", options)
    assert [document.id for document in corpus] == ["b", "c"]
    assert corpus.manifest["read"]["excluded"] == 1


def test_finds_by_pmid(tmp_path):
    text = "Some words that no benchmark has ever had among its sentences of any kind."
    articles = "".join(
        f'<PubmedArticle><MedlineCitation><PMID Version="1">{pmid}</PMID><Article><Abstract>'
        f"<AbstractText>{text}</AbstractText></Abstract></Article></MedlineCitation>"
        "</PubmedArticle>"
        for pmid in (11, 12, 13)
    )
    (tmp_path / "a.xml").write_text(f"<PubmedArticleSet>{articles}</PubmedArticleSet>")
    (tmp_path / "pmids").write_text("http://example.org/pubmed/12\n\n0013\n")
    pmids = read_pmids(tmp_path / "pmids")
    assert pmids == ["12", "13"]
    found = find_contamination([f"{tmp_path}/a.xml"], ReaderOptions("pubmed"), {}, pmids=pmids)
    assert (found.excluded, found.by_pmid) == (["12", "13"], 2)
    (tmp_path / "pmids").write_text("12\nnone\n")
    with pytest.raises(DataError, match="pmids:2: 'none', expected a PMID"):
        read_pmids(tmp_path / "pmids")


def test_real_test_sentences_are_found_in_the_text_they_were_cut_from(tmp_path, shared_data):
    """The sentences of s800's test set put back into running text, among train's, which are not."""
    sentences = read_benchmark(shared_data / "NER" / "s800")
    train = [
        line.split("\t")[0]
        for line in (shared_data / "NER" / "s800" / "train.tsv").read_text().split("\n")
    ]
    background = " ".join(train[:20_000])
    shingles = index_sentences(sentences)
    long_enough = {number for number, total in enumerate(shingles.totals) if total}
    assert len(long_enough) > 0.85 * len(sentences)
    joined = " ".join(sentences).replace(" ,", ",").replace(" .", ".").replace(" - ", "-")
    assert set(contained_sentences(document(joined), shingles)) == long_enough
    # s800 has test sentences that are in train too; nothing else of it should look like one.
    assert len(contained_sentences(document(background), shingles)) < 0.01 * len(sentences)
