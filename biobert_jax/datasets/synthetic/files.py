"""The generated corpus in the forms in which real ones are downloaded."""

import gzip
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from lxml import etree
from lxml.builder import E

from biobert_jax.datasets.conll import Sentence
from biobert_jax.datasets.synthetic.corpus import AnnotatedDocument
from biobert_jax.files import atomic_writing, to_path, write_text

_DOCTYPE = (
    '<!DOCTYPE PubmedArticleSet PUBLIC "-//NLM//DTD PubMedArticle, 1st January 2019//EN" '
    '"http://dtd.nlm.nih.gov/ncbi/pubmed/out/pubmed_190101.dtd">'
)
_STRUCTURED = 3  # one abstract in so many has sections
_NER_SPLITS = ("train", "devel", "test")


def write_pubmed(
    folder: str | Path, documents: Iterable[AnnotatedDocument], per_file: int = 2000
) -> list[Path]:
    """Writes documents as PubMed's baseline has them: pubmed26n0001.xml.gz and so on.

    What is known of a document, its mentions and relations, is not in the files. The same documents
    give the same bytes.

    Args:
      folder: made if it is not there.
      documents: with distinct PMIDs.
      per_file: citations of a file; NLM's have 30,000.

    Returns:
      The files.
    """
    folder = to_path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    documents = iter(documents)
    paths = []
    while some := list(islice(documents, per_file)):
        paths.append(folder / f"pubmed26n{len(paths) + 1:04d}.xml.gz")
        # No name and no time in the header of the gzip file: they would make its bytes differ.
        with (
            atomic_writing(paths[-1]) as temporary,
            open(temporary, "wb") as raw,
            gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0) as file,
            etree.xmlfile(file, encoding="UTF-8") as xml,
        ):
            xml.write_declaration()
            xml.write_doctype(_DOCTYPE)
            with xml.element("PubmedArticleSet"):
                for document in some:
                    xml.write(_article(document))
    return paths


def write_ner(folder: str | Path, splits: Mapping[str, Sequence[Sentence]]) -> Path:
    """Writes train.tsv, devel.tsv and test.tsv as `datasets.conll.read_folder` reads them."""
    folder = to_path(folder)
    for split in _NER_SPLITS:
        text = (
            "".join(f"{w}\t{t}\n" for w, t in zip(s.words, s.tags, strict=True)) + "\n"
            for s in splits[split]
        )
        write_text(folder / f"{split}.tsv", text)
    return folder


def _article(document: AnnotatedDocument) -> etree._Element:
    citation = E.MedlineCitation(
        E.PMID(document.pmid, Version="1"),
        E.DateRevised(E.Year("2026"), E.Month("01"), E.Day("15")),
        E.Article(
            E.Journal(
                E.JournalIssue(E.PubDate(E.Year("2026")), CitedMedium="Internet"),
                E.Title("Annals of invented medicine"),
            ),
            E.ArticleTitle(f"{document.title.text}."),
            E.Abstract(*_sections(document)),
            E.Language("eng"),
            E.PublicationTypeList(E.PublicationType("Journal Article", UI="D016428")),
            PubModel="Electronic",
        ),
        E.MedlineJournalInfo(E.MedlineTA("Ann Invent Med"), E.NlmUniqueID("0000000")),
        Status="MEDLINE",
        Owner="NLM",
    )
    data = E.PubmedData(
        E.PublicationStatus("epublish"),
        E.ArticleIdList(E.ArticleId(document.pmid, IdType="pubmed")),
    )
    return E.PubmedArticle(citation, data)


def _sections(document: AnnotatedDocument) -> Iterator[etree._Element]:
    texts = [sentence.text for sentence in document.sentences]
    if int(document.pmid) % _STRUCTURED:
        yield E.AbstractText(" ".join(texts))
        return
    for label, part in (
        ("BACKGROUND", texts[:1]),
        ("RESULTS", texts[1:-1]),
        ("CONCLUSIONS", texts[-1:]),
    ):
        yield E.AbstractText(" ".join(part), Label=label, NlmCategory=label)
