import gzip

import pytest

from biobert_jax.corpora.readers.documents import ReadStatistics
from biobert_jax.corpora.readers.pubmed import index_pubmed_file, read_pubmed
from biobert_jax.datasets.conll import read_folder
from biobert_jax.datasets.synthetic.corpus import documents, ner_splits
from biobert_jax.datasets.synthetic.files import write_ner, write_pubmed


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_pubmed(tmp_path_factory.mktemp("pubmed"), documents(0, 25), per_file=10)


def test_pubmed_files_are_read_as_what_was_written(written):
    assert [path.name for path in written] == [f"pubmed26n000{i}.xml.gz" for i in (1, 2, 3)]
    statistics = ReadStatistics()
    found = [document for path in written for document in read_pubmed(path, statistics=statistics)]
    for ours, theirs in zip(found, documents(0, 25), strict=True):
        assert ours.id == theirs.pmid
        assert ours.title == f"{theirs.title.text}."
        assert " ".join(ours.paragraphs) == " ".join(s.text for s in theirs.sentences)
    assert {len(document.paragraphs) for document in found} == {1, 3}
    assert (statistics.records, statistics.documents) == (25, 25)
    assert len(index_pubmed_file(written[0]).pmids) == 10


def test_pubmed_files_begin_as_those_of_nlm(written):
    with gzip.open(written[0], "rt", encoding="utf-8") as file:
        first = file.read(400)
    assert first.startswith("<?xml")
    assert '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle' in first
    assert '<PubmedArticle><MedlineCitation Status="MEDLINE"' in first
    assert "Chemical" not in first


def test_the_same_documents_give_the_same_bytes(written, tmp_path):
    again = write_pubmed(tmp_path, documents(0, 25), per_file=10)
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]


def test_labelled_sentences_come_back(tmp_path):
    splits = ner_splits(0, train=12, devel=5, test=7)
    found = read_folder(write_ner(tmp_path / "ner", splits))
    for split in ("train", "devel", "test"):
        assert found[split].sentences == splits[split]
