"""PubMed XML: what is read, what revises what, and what damage costs."""

import gzip
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biobert_jax.corpora.readers import pubmed_records
from biobert_jax.corpora.readers.documents import ReadStatistics
from biobert_jax.corpora.readers.pubmed import (
    DELETED,
    KEPT,
    SUPERSEDED,
    CitationIndex,
    clean_title,
    index_pubmed_file,
    read_pubmed,
    sort_pubmed_files,
    surviving_citations,
)
from biobert_jax.errors import DataError

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE PubmedArticleSet PUBLIC '
    '"-//NLM//DTD PubMedArticle, 1st January 2019//EN" "https://dtd.example.org/p.dtd">\n'
)


def citation(pmid, abstract="<AbstractText>A finding.</AbstractText>", title="A title.", version=1):
    abstract = abstract and f"<Abstract>{abstract}<CopyrightInformation>(c)</CopyrightInformation>"
    abstract = abstract and abstract + "</Abstract>"
    return (
        f'<PubmedArticle><MedlineCitation Status="MEDLINE"><PMID Version="{version}">{pmid}</PMID>'
        f"<Article><ArticleTitle>{title}</ArticleTitle>{abstract}"
        "<VernacularTitle>Ein Titel</VernacularTitle></Article>"
        '<OtherAbstract Type="Publisher"><AbstractText>Zweitens.</AbstractText></OtherAbstract>'
        '<CommentsCorrectionsList><CommentsCorrections><PMID Version="1">777</PMID>'
        "</CommentsCorrections></CommentsCorrectionsList></MedlineCitation>"
        "<PubmedData><ReferenceList/></PubmedData></PubmedArticle>\n"
    )


def article_set(*records, deleted=()):
    deletions = "".join(f'<PMID Version="1">{pmid}</PMID>' for pmid in deleted)
    deletions = deletions and f"<DeleteCitation>{deletions}</DeleteCitation>"
    return (
        HEAD + "<PubmedArticleSet>\n" + "".join(records) + deletions + "</PubmedArticleSet>\n"
    ).encode()


@pytest.fixture
def write(tmp_path):
    def write(content: bytes, name="set.xml") -> Path:
        path = tmp_path / name
        path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
        return path

    return write


def read_one(write, *args, **options):
    (document,) = read_pubmed(write(article_set(citation(12, *args))), **options)
    return document


def test_title_abstract_and_pmid(write):
    path = write(article_set(citation(12)), "set.xml.gz")
    (document,) = read_pubmed(path)
    assert document == ("12", "A title.", ("A finding.",), str(path), "12", False)


def test_sections_keep_their_order_and_labels_are_an_option(write):
    sections = (
        '<AbstractText Label="AIM">To see.</AbstractText><AbstractText Label="UNLABELLED">So it is.'
        '</AbstractText><AbstractText Label="EMPTY"/><AbstractText>Last.</AbstractText>'
    )
    assert read_one(write, sections).paragraphs == ("To see.", "So it is.", "Last.")
    labelled = read_one(write, sections, labels=True)
    assert labelled.paragraphs == ("AIM: To see.", "So it is.", "Last.")


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("H<sub>2</sub>O and <i>E.\n  coli</i>", "H2O and E. coli"),
        ("Ca<sup>2+</sup>, mm<sup>3</sup>, CD8<sup>+</sup>", "Ca2+, mm3, CD8+"),
        ("10<sup>6</sup> and 10<sup>-3</sup> <b>M</b>", "10^6 and 10^-3 M"),
        ("Lox<sup>P </sup>mice", "LoxP mice"),
        (
            "CO <sub>2</sub> ), NO <sub>2</sub> <sup>-</sup> and Na <sup>+</sup> .",
            "CO2), NO2- and Na+.",
        ),
        ("( <i>P</i> = 1), mm <sup>2</sup> , 10 <sup>6</sup> cells", "(P = 1), mm2, 10^6 cells"),
        (
            "with <sup>13</sup>C, of <sub>V</sub>O and by <sup>1</sup> H",
            "with 13C, of VO and by 1 H",
        ),
        ("&#945;-tubulin &alpha;&nbsp;&#xb1;&#x2009;2 &amp; &lt;", "α-tubulin α ± 2 & <"),
        ("na\u00efve nai\u0308ve zero\u200bwidth", "naïve naïve zerowidth"),
        ("cut.(ABSTRACT TRUNCATED AT 250 WORDS)", "cut."),
        (
            'V <mml:math xmlns:mml="http://www.w3.org/1998/Math/MathML">\n <mml:mover><mml:mi>O'
            "</mml:mi>\n <mml:mo>.</mml:mo></mml:mover>\n <mml:mn>2</mml:mn></mml:math> max",
            "V O2 max",
        ),
        ("a <mml:math><mml:mi>p</mml:mi></mml:math> of 1", "a p of 1"),
        (
            "<mml:math>\n <mml:mmultiscripts><mml:mi>Xe</mml:mi><mml:mn>129</mml:mn>"
            '</mml:mmultiscripts>\n <mml:mspace width="0.25em"/>\n <mml:mi>MRI</mml:mi></mml:math>',
            "Xe129 MRI",
        ),
        ("<mml:math><mml:mn>5</mml:mn><mml:mtext> mm</mml:mtext></mml:math>", "5 mm"),
        ("<mml:math><mml:mn>5</mml:mn><mml:mtext>\n  mm\n</mml:mtext></mml:math>", "5mm"),
        ("<mml:math><mml:mn>5</mml:mn><mml:mtext>&#xa0;</mml:mtext>x</mml:math>y", "5 y"),
        (
            "<mml:math><mml:mn>5</mml:mn><mml:mo>&#x2009;</mml:mo><mml:mi>g</mml:mi></mml:math>",
            "5 g",
        ),
        (
            "<mml:math><mml:mi>a</mml:mi><mml:mspace/><mml:mi>b</mml:mi>"
            '<mml:mspace width="-0.1em"/><mml:mi>c</mml:mi><mml:mspace width="thinmathspace"/>'
            '<mml:mi>d</mml:mi><mml:mspace linebreak="newline"/><mml:mi>e</mml:mi>'
            '<mml:mspace width="negativethinmathspace"/><mml:mi>f</mml:mi></mml:math>',
            "abc d ef",
        ),
        ("<![CDATA[p < 0.05]]> <!-- no --> done", "p < 0.05 done"),
    ],
)
def test_markup_reads_as_a_person_would(write, markup, text):
    assert read_one(write, f"<AbstractText>{markup}</AbstractText>").paragraphs == (text,)


@pytest.mark.parametrize(
    ("title", "clean"),
    [
        ("[Useful herbs].", "Useful herbs."),
        ("[Herbs (author's transl)].", "Herbs."),
        ("[Herbs [of old] times]", "Herbs [of old] times"),
        ("[2-13C]acetate uptake.", "[2-13C]acetate uptake."),
        ("[A] binds [B]", "[A] binds [B]"),
        ("[In Process Citation]", ""),
        ("[Not Available].", ""),
        ("", ""),
    ],
)
def test_titles_lose_medlines_conventions(title, clean):
    assert clean_title(title) == clean


def test_old_root_book_chapters_and_foreign_roots(write):
    old = (
        b"<MedlineCitationSet><MedlineCitation Owner='NLM'>\n<MedlineID>9</MedlineID><PMID>5</PMID>"
        b"<Article><Abstract><AbstractText>Old.</AbstractText></Abstract></Article>"
        b"</MedlineCitation></MedlineCitationSet>"
    )
    book = (
        b"\xef\xbb\xbf<RAW_DATA><PubmedBookArticle><BookDocument><PMID Version='3'>6</PMID><Book>"
        b"<BookTitle>Genes</BookTitle></Book><Abstract><AbstractText>New.</AbstractText></Abstract>"
        b"</BookDocument></PubmedBookArticle></RAW_DATA>"
    )
    (document,) = read_pubmed(write(old))
    assert document[:3] == ("5", "", ("Old.",))
    (document,) = read_pubmed(write(book))
    assert document[:3] == ("6", "Genes", ("New.",))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<PubMedArticleSet><MedlineCitation/></PubMedArticleSet>", "in which publishers send"),
        (b"<article><front/></article>", "root is <article>, expected <PubmedArticleSet>"),
        (b"", "malformed XML"),
        ("<PubmedArticleSet/>".encode("utf-16"), "encoded as utf-16, expected UTF-8"),
        (b"<?xml version='1.0' encoding='latin-1'?><PubmedArticleSet/>", "encoded as latin-1"),
    ],
)
def test_other_files_are_refused(write, content, reason):
    path = write(content)
    with pytest.raises(DataError, match=reason) as caught:
        list(read_pubmed(path))
    assert str(caught.value).startswith(f"{path}: ")


def test_an_empty_set_is_no_error(write):
    assert list(read_pubmed(write(article_set()))) == []


def test_without_abstract_is_skipped_and_counted(write):
    path = write(article_set(citation(1, ""), citation(2, "<AbstractText/>"), citation(3)))
    statistics = ReadStatistics()
    assert [document.id for document in read_pubmed(path, statistics=statistics)] == ["3"]
    assert statistics == ReadStatistics(files=1, records=3, documents=1, without_abstract=2)


def corpus(paths):
    """(ids with their first paragraph, statistics) of files that revise each other."""
    statistics = ReadStatistics()
    fates = surviving_citations([index_pubmed_file(path) for path in paths])
    found = [
        (document.id, document.paragraphs[0])
        for path, fate in zip(paths, fates, strict=True)
        for document in read_pubmed(path, fates=fate, statistics=statistics)
    ]
    return found, statistics


def said(text):
    return f"<AbstractText>{text}</AbstractText>"


def test_revisions_replace_and_deletions_remove_across_files(write):
    first = article_set(*(citation(n, said("first")) for n in (1, 2, 3, 4)), deleted=[99])
    second = article_set(citation(2, said("second")), citation(3, ""), deleted=[4, 1])
    third = article_set(citation(4, said("third")), citation(2, said("third")))
    paths = [write(c, f"pubmed26n000{n}.xml.gz") for n, c in enumerate((first, second, third))]
    found, statistics = corpus(paths)
    # 1 is deleted; 2 was revised twice; 3 lost its abstract; 4 was deleted and came back.
    assert found == [("4", "third"), ("2", "third")]
    assert statistics == ReadStatistics(
        files=3,
        records=8,
        documents=2,
        without_abstract=1,
        superseded=4,
        deleted=1,
        delete_requests=3,
    )


def test_the_last_record_of_the_highest_version_stands(write):
    path = write(
        article_set(
            citation(1, said("v2"), version=2),
            citation(1, said("v1")),
            citation(2, said("old")),
            citation(2, said("new")),
            citation(3, said("v3"), version=3),
            deleted=[3],
        )
    )
    assert corpus([path])[0] == [("1", "v2"), ("2", "new"), ("3", "v3")]


@given(st.lists(st.tuples(st.lists(st.integers(1, 6)), st.lists(st.integers(1, 7))), max_size=5))
def test_survivors_agree_with_replaying_the_files(files):
    def index(pmids, deleted):
        ones = np.ones
        return CitationIndex(
            np.array(pmids, np.uint32),
            ones(len(pmids), np.uint8),
            np.array(deleted, np.uint32),
            ones(len(deleted), np.uint8),
        )

    fates = surviving_citations([index(*file) for file in files])
    standing = {}
    for number, (pmids, deleted) in enumerate(files):
        standing |= {pmid: (number, record) for record, pmid in enumerate(pmids)}
        standing = {pmid: key for pmid, key in standing.items() if pmid not in deleted}
    for number, (pmids, _) in enumerate(files):
        for record, pmid in enumerate(pmids):
            key = standing.get(pmid)
            expected = DELETED if key is None else KEPT if key == (number, record) else SUPERSEDED
            assert fates[number][record] == expected


def test_files_are_ordered_as_nlm_numbers_them():
    paths = ["u/pubmed26n1335.xml.gz", "b/pubmed26n0999.xml.gz", "medline16n0902.xml.gz", "my.xml"]
    assert sort_pubmed_files(paths) == [paths[3], paths[2], paths[1], paths[0]]


def test_a_changed_file_does_not_fit_its_index(write):
    path = write(article_set(citation(1), citation(2)))
    with pytest.raises(DataError, match="more records than its index"):
        list(read_pubmed(path, fates=np.zeros(1, np.uint8)))


def damaged_sets():
    good = [citation(n) for n in range(1, 5)]
    bad_pmid = citation(2).replace(">2<", ">two<")
    return {
        "unbalanced": (good[0], citation(2, "<AbstractText><i>x</AbstractText>"), *good[2:]),
        "no end": (good[0], good[1].replace("</PubmedArticle>", ""), *good[2:]),
        "no pmid": (good[0], bad_pmid, *good[2:]),
        "unknown entity": (good[0], citation(2, said("&lol9;")), *good[2:]),
        "control": (good[0], citation(2, said("\x01")), *good[2:]),
    }


@pytest.mark.parametrize("kind", damaged_sets())
def test_damage_costs_one_record_and_is_located(write, kind):
    path = write(article_set(*damaged_sets()[kind]))
    with pytest.raises(DataError, match=rf"^{path}: line 5, byte \d+: .*"):
        list(read_pubmed(path))
    rejected, statistics = [], ReadStatistics()
    documents = list(read_pubmed(path, statistics=statistics, on_error=rejected.append))
    assert [document.id for document in documents] == ["1", "3", "4"]
    (line,) = rejected
    byte = int(re.search(r"byte ([\d,]+)", line.position)[1].replace(",", ""))
    assert path.read_bytes()[byte:].startswith(b"<PubmedArticle>")
    assert statistics == ReadStatistics(files=1, records=4, documents=3, rejected=1)


def test_junk_between_records_is_located_and_does_not_stop_the_rest(write):
    path, rejected = write(article_set(citation(1), "</oops>", citation(2))), []
    documents = list(read_pubmed(path, on_error=rejected.append))
    assert [document.id for document in documents] == ["1", "2"]
    assert len(rejected) == 1
    assert "line 5, byte" in rejected[0].position
    assert "outside any record" in rejected[0].reason


def test_truncation_is_located(write):
    content = article_set(*(citation(n) for n in range(1, 4)))
    for cut, reason in [(-30, "no end: truncated"), (-20, "malformed XML before here")]:
        path, rejected = write(content[:cut]), []
        found = [document.id for document in read_pubmed(path, on_error=rejected.append)]
        assert found == ["1", "2", "3"][: 2 if cut == -30 else 3]
        assert len(rejected) == 1
        assert reason in rejected[0].reason
    path, rejected = write(content, "set.xml.gz"), []
    path.write_bytes(path.read_bytes()[:-10])
    list(read_pubmed(path, on_error=rejected.append))
    assert len(rejected) == 1
    assert "truncated or damaged" in rejected[0].reason
    assert str(path) not in rejected[0].reason


def test_records_across_chunks_are_whole(write, monkeypatch):
    path = write(article_set(*(citation(n) for n in range(1, 40)), deleted=range(50, 60)))
    whole = [tuple(record) for record in pubmed_records.pubmed_records(path, print)]
    for size in (7, 100, 1000):
        monkeypatch.setattr(pubmed_records, "_CHUNK_BYTES", size)
        assert [tuple(record) for record in pubmed_records.pubmed_records(path, print)] == whole
    assert len(whole) == 40


def test_a_record_without_end_does_not_fill_the_memory(write, monkeypatch):
    monkeypatch.setattr(pubmed_records, "MAX_RECORD_BYTES", 10_000)
    monkeypatch.setattr(pubmed_records, "_CHUNK_BYTES", 1000)
    path = write(article_set("<PubmedArticle>" + "x" * 50_000, citation(2)))
    rejected = []
    assert [d.id for d in read_pubmed(path, on_error=rejected.append)] == ["2"]
    assert any("no end" in line.reason for line in rejected)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), zipped=st.booleans())
def test_whatever_happens_to_a_file_it_gives_documents_or_a_data_error(tmp_path, data, zipped):
    content = article_set(*(citation(n) for n in range(1, 6)), deleted=[9])
    content = bytearray(gzip.compress(content, mtime=0) if zipped else content)
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "set.xml"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    index = index_pubmed_file(path)
    statistics, rejected = ReadStatistics(), []
    options = {"statistics": statistics, "on_error": rejected.append}
    documents = list(read_pubmed(path, fates=surviving_citations([index])[0], **options))
    assert len(documents) == statistics.documents <= 5
    assert statistics.rejected + statistics.rejected_files == len(rejected)
    try:
        list(read_pubmed(path))
        assert not rejected
    except DataError:
        assert rejected


def test_counts_on_real_files_agree_with_grep(shared_data):
    """Independent counts: zgrep over the same files, edge cases with no PMID apart."""
    folder = shared_data / "pubmed_xml"
    paths = sort_pubmed_files(p for p in folder.glob("*/*.xml*") if p.suffix != ".md5")
    statistics, rejected = ReadStatistics(), []
    fates = surviving_citations([index_pubmed_file(path) for path in paths])
    documents = [
        document
        for path, fate in zip(paths, fates, strict=True)
        for document in read_pubmed(
            path, fates=fate, statistics=statistics, on_error=rejected.append
        )
    ]

    def grep(pattern):
        command = f"zgrep -ohE '{pattern}' {folder}/*/*.xml {folder}/*/*.xml.gz | wc -l"
        return int(subprocess.run(command, shell=True, capture_output=True, check=True).stdout)

    # The two synthetic bioperl files: three citations without a number, three of the publishers'.
    assert statistics.records == grep("<(MedlineCitation|PubmedBookArticle)[ >]") - 3
    assert len(paths) == statistics.files == 39
    assert len({document.id for document in documents}) == len(documents)
    counts = statistics.as_dict()
    outcomes = ("documents", "without_abstract", "superseded", "deleted", "rejected", "empty")
    assert sum(counts[name] for name in outcomes) == statistics.records
    assert statistics.rejected == 4
    assert statistics.rejected_files == 1
