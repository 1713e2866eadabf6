"""PMC full text: what is read and in which order, bundles, damage."""

import collections
import gzip
import io
import re
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biobert_jax.corpora.readers.documents import ReadStatistics
from biobert_jax.corpora.readers.jats import read_jats
from biobert_jax.errors import DataError


def article(body="<p>Some text.</p>", abstract="<p>In short.</p>", back="", pmc="123"):
    return (
        '<?xml version="1.0"?>\n<!DOCTYPE article PUBLIC "-//NLM//DTD" "archivearticle.dtd">\n'
        '<article xmlns:xlink="http://www.w3.org/1999/xlink" '
        'xmlns:mml="http://www.w3.org/1998/Math/MathML"><front><journal-meta><journal-title>J'
        "</journal-title></journal-meta><article-meta>"
        f'<article-id pub-id-type="pmc">{pmc}</article-id>'
        '<article-id pub-id-type="pmid">45</article-id><title-group><article-title>On <italic>E.'
        '\n coli</italic><xref ref-type="fn" rid="f">*</xref></article-title></title-group>'
        f"<contrib-group><contrib><name><surname>Who</surname></name></contrib></contrib-group>"
        f"<abstract>{abstract}</abstract><abstract abstract-type='graphical'><p>Picture.</p>"
        "</abstract><trans-abstract><p>Kurz.</p></trans-abstract></article-meta></front>"
        f"<body>{body}</body><back>{back}<ref-list><ref><mixed-citation>Ref.</mixed-citation>"
        "</ref></ref-list></back><sub-article><body><p>Review.</p></body></sub-article></article>"
    ).encode()


@pytest.fixture
def write(tmp_path):
    def write(content: bytes, name="a.nxml"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def body_of(write, body, **options):
    (document,) = read_jats(write(article(body)), **options)
    return document.paragraphs[1:]


def test_title_ids_abstract_and_body(write):
    path = write(article())
    (document,) = read_jats(path)
    assert document == ("PMC123", "On E. coli", ("In short.", "Some text."), str(path), "45", False)


def cite(*numbers):
    return [f'<xref ref-type="bibr" rid="B{n}">{n}</xref>' for n in numbers]


def test_reading_order_and_what_is_left_out(write):
    body = """
      <sec><title>Results</title><label>1</label>
        <p>First<fn><p>Note.</p></fn> we<break/>saw:
          <list><list-item><label>a</label><p>one</p></list-item><list-item><p>two</p></list-item>
          </list> and then
          <disp-formula><mml:math><mml:mi>x</mml:mi></mml:math></disp-formula> more.</p>
        <table-wrap><label>T1</label><caption><title>Counts.</title><p>Of all.</p></caption>
          <table><tr><td>9</td></tr></table><table-wrap-foot><p>Foot.</p></table-wrap-foot>
        </table-wrap>
        <sec><title>Deep</title><p>See <xref ref-type="fig">Fig. 1</xref><fig><label>1</label>
          <caption><p>A picture.</p></caption><graphic xlink:href="g"/></fig>, please.</p></sec>
        <def-list><def-item><term>DNA</term><def><p>an acid</p></def></def-item></def-list>
      </sec>
      <sec sec-type="supplementary-material"><supplementary-material><p>File.</p>
      </supplementary-material></sec>"""
    plain = (
        "First we saw:",
        "one",
        "two",
        "and then more.",
        "See Fig. 1, please.",
        "DNA",
        "an acid",
    )
    assert body_of(write, body) == plain
    with_titles = body_of(write, body, section_titles=True)
    assert with_titles == ("Results", *plain[:4], "Deep", *plain[4:])
    with_captions = body_of(write, body, captions=True)
    assert with_captions == (*plain[:4], "Counts.", "Of all.", plain[4], "A picture.", *plain[5:])


def test_captions_apart_from_the_text(write):
    back = (
        '<sec sec-type="display-objects"><title>Figures</title><fig><caption>'
        "<p>Later.</p></caption></fig></sec><ack><p>Thanks.</p></ack>"
    )
    path = write(article(back=back))
    assert [d.paragraphs[-1] for d in read_jats(path)] == ["Some text."]
    assert [d.paragraphs[-1] for d in read_jats(path, captions=True)] == ["Later."]


@pytest.mark.parametrize(
    ("markup", "kept", "left_out"),
    [
        ("seen [{0}]. We", "seen [1]. We", "seen. We"),
        ("seen [{0}-{1}, {2}] by", "seen [1-2, 3] by", "seen by"),
        ("by Roe et al. ({0}), who", "by Roe et al. (1), who", "by Roe et al., who"),
        ("seen.<sup>{0},{1}</sup> We", "seen.1,2 We", "seen. We"),
        ("seen {0},{1} .", "seen 1,2 .", "seen."),
    ],
)
def test_numeric_citations_are_an_option(write, markup, kept, left_out):
    body = f"<p>{markup.format(*cite(1, 2, 3))}</p>"
    assert body_of(write, body) == (left_out,)
    assert body_of(write, body, citations=True) == (kept,)


def test_citations_by_author_always_stay(write):
    body = '<p>As <xref ref-type="bibr" rid="B1">Roe (2001)</xref> showed.</p>'
    assert body_of(write, body) == ("As Roe (2001) showed.",)


def test_inline_markup_and_mathematics(write):
    body = (
        "<p>10<sup>6</sup> H<sub>2</sub>O, <italic>Lepr</italic><sup><italic>db</italic></sup>, "
        "&alpha;&#x3b2; <inline-formula><alternatives><tex-math>\\frac</tex-math><mml:math><mml:mi>"
        "k</mml:mi><mml:mo>=</mml:mo><mml:mn>2</mml:mn></mml:math></alternatives></inline-formula>"
        "<inline-formula><mml:math><mml:mfrac><mml:mn>1</mml:mn><mml:mn>2</mml:mn></mml:mfrac>"
        "</mml:math></inline-formula>.</p>"
    )
    assert body_of(write, body) == ("10^6 H2O, Leprdb, αβ k=2.",)


def test_namespaced_articles_and_sets(write):
    namespaced = (
        b'<article xmlns="https://jats.example.org/1.3/"><body><p>Text.</p></body></article>'
    )
    path = write(namespaced)
    assert [d[:3] for d in read_jats(path)] == [(str(path), "", ("Text.",))]
    inside = article().split(b'.dtd">\n')[1]
    path = write(b"<pmc-articleset>" + inside + b"</pmc-articleset>")
    assert [d.id for d in read_jats(path)] == ["PMC123"]


def test_articles_without_text_are_counted(write):
    path, statistics = write(article("", "")), ReadStatistics()
    assert list(read_jats(path, statistics=statistics)) == []
    assert statistics == ReadStatistics(files=1, records=1, empty=1)


def bundle(members, mode="w:gz"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def test_bundles(write):
    members = {
        "PMC1/a.nxml": article(pmc="1"),
        "PMC1/a.jpg": b"\xff",
        "PMC2/broken.nxml": article(pmc="2")[:300],
        "PMC3/c.XML": article(pmc="PMC3"),
    }
    for mode in ("w:gz", "w"):
        path, rejected, statistics = write(bundle(members, mode), "some.tar"), [], ReadStatistics()
        found = list(read_jats(path, statistics=statistics, on_error=rejected.append))
        assert [(d.id, d.source) for d in found] == [
            ("PMC1", f"{path}/PMC1/a.nxml"),
            ("PMC3", f"{path}/PMC3/c.XML"),
        ]
        assert [r.source for r in rejected] == [f"{path}/PMC2/broken.nxml"]
        assert "malformed XML in line 3" in rejected[0].reason
        assert statistics == ReadStatistics(
            files=1, records=3, documents=2, rejected=1, skipped_members=1
        )


def test_a_damaged_header_in_a_bundle_is_noticed(write):
    content = bytearray(bundle({f"{n}.xml": article(pmc=str(n)) for n in (1, 2, 3)}, "w"))
    second = content.index(b"2.xml")
    content[second : second + 20] = b"\xff" * 20
    path, rejected = write(bytes(content), "b.tar"), []
    assert [d.id for d in read_jats(path, on_error=rejected.append)] == ["PMC1"]
    assert "damaged tar archive" in rejected[0].reason


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<PubmedArticleSet/>", "root is <PubmedArticleSet>, expected <article>"),
        (b"", "malformed XML in line 1"),
        (article()[:-20], "malformed XML in line 4"),
        (gzip.compress(article(), mtime=0)[:-20], "truncated or damaged"),
        (bundle({"a.xml": article()})[:-40], "truncated or damaged"),
        (bundle({"a.xml": article()}, "w")[:900], "damaged tar archive"),
    ],
)
def test_other_and_broken_files_are_named(write, content, reason):
    path = write(content)
    with pytest.raises(DataError, match=rf"^{path}: ") as caught:
        list(read_jats(path))
    assert reason in str(caught.value)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data(), form=st.sampled_from(["xml", "xml.gz", "tar", "tar.gz"]))
def test_whatever_happens_to_a_file_it_gives_documents_or_a_data_error(tmp_path, data, form):
    members = {f"{n}.xml": article(pmc=str(n)) for n in (1, 2)}
    content = article() if "xml" in form else bundle(members, "w")
    content = bytearray(gzip.compress(content, mtime=0) if "gz" in form else content)
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "file"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    statistics, rejected = ReadStatistics(), []
    documents = list(read_jats(path, statistics=statistics, on_error=rejected.append))
    assert len(documents) == statistics.documents <= 2
    assert statistics.rejected + statistics.rejected_files == len(rejected)


def test_craft_articles_read_as_their_curators_read_them(shared_data):
    """The CRAFT corpus has its own plain text of the articles whose XML it holds."""
    path = shared_data / "pmc" / "craft_articles.tar.gz"
    reference = {}
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name.endswith(".txt"):
                content = archive.extractfile(member).read().decode()
                reference[member.name.split("/")[-1].removesuffix(".txt")] = content
    ids = dict(
        line.split("\t")[::2]
        for line in reference.pop("craft-idmappings").splitlines()
        if not line.startswith("#")
    )
    options = {"captions": True, "section_titles": True, "citations": True}
    ours = theirs = common = articles = 0
    for document in read_jats(path, **options):
        text = reference[ids[document.source.split("/")[-1]].strip()]
        text = re.sub(r"(?m)^(Abstract|Figures and Tables|(Figure|Table) \d+)$", "", text)
        a, b = (
            collections.Counter(re.findall(r"\w+|[^\w\s]", t))
            for t in (text, " ".join((document.title, *document.paragraphs)))
        )
        theirs, ours, common = theirs + a.total(), ours + b.total(), common + (a & b).total()
        articles += 1
    assert articles == 97
    assert common / ours > 0.999  # what is left are powers: "10^6" for their "106"
    assert common / theirs > 0.95  # left out: acknowledgements, footnotes, notes below tables
