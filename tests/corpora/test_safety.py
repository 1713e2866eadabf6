"""Hostile input: bombs, external entities, climbing archives. Nothing may come of them."""

import gzip
import io
import resource
import socket
import tarfile
import time

import pytest

from biobert_jax import files as streams
from biobert_jax.corpora.readers.jats import read_jats
from biobert_jax.corpora.readers.plain import read_lines
from biobert_jax.corpora.readers.pubmed import index_pubmed_file, read_pubmed
from biobert_jax.errors import DataError

LAUGHS = "".join(
    f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10 if n else "ha" * 50}">' for n in range(10)
)
ARTICLE = (
    "<article><front><article-meta><title-group><article-title>T{0}</article-title></title-group>"
    "</article-meta></front><body><p>Kept {0}text.</p></body></article>"
)
CITATION = (
    "<PubmedArticleSet>{1}<PubmedArticle><MedlineCitation><PMID>1</PMID><Article><Abstract>"
    "<AbstractText>Kept {0}text.</AbstractText></Abstract></Article></MedlineCitation>"
    "</PubmedArticle></PubmedArticleSet>"
)


@pytest.fixture(autouse=True)
def bounded():
    """Fails a test that takes long or grows by more than 300 MB."""
    started = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert time.monotonic() - started < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000


def outcome(reader, path):
    """(all text that was read, all that was said about what was not)."""
    rejected = []
    documents = list(reader(path, on_error=rejected.append))
    text = " ".join(part for d in documents for part in (d.title, *d.paragraphs))
    return text, " ".join(map(str, rejected))


@pytest.mark.parametrize("where", ["text", "attribute", "between records"])
def test_billion_laughs(tmp_path, where):
    path = tmp_path / "bomb.xml"
    doctype = f"<!DOCTYPE x [{LAUGHS}]>"
    if where == "attribute":
        path.write_text(doctype + ARTICLE.replace("<p>", '<p id="&lol9;">').format(""))
    else:
        path.write_text(doctype + ARTICLE.format("&lol9;"))
    text, _ = outcome(read_jats, path)
    assert "haha" not in text
    inside, outside = ("", "&lol9;") if where == "between records" else ("&lol9;", "")
    path.write_text(doctype + CITATION.format(inside, outside))
    text, said = outcome(read_pubmed, path)
    assert "haha" not in text
    assert ("Kept text." in text) or ("lol9" in said)
    index_pubmed_file(path)


@pytest.mark.parametrize("target", ["file", "http", "parameter", "dtd"])
def test_external_entities_are_not_fetched(tmp_path, target):
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/secret"
        doctype = {
            "file": f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]>',
            "http": f'<!DOCTYPE a [<!ENTITY x SYSTEM "{url}">]>',
            "parameter": f'<!DOCTYPE a [<!ENTITY % p SYSTEM "{url}"> %p;]>',
            "dtd": f'<!DOCTYPE a SYSTEM "{url}">',
        }[target]
        path = tmp_path / "external.xml"
        for reader, body in ((read_jats, ARTICLE), (read_pubmed, CITATION)):
            path.write_text(doctype + body.format("&x;", "&x;"))
            assert "SECRET" not in "".join(outcome(reader, path))
        with pytest.raises(BlockingIOError):  # nobody has called
            server.accept()


def test_a_doctypes_dtd_is_neither_loaded_nor_needed(tmp_path):
    dtd = tmp_path / "archivearticle.dtd"
    dtd.write_text('<!ENTITY alpha "SECRET"><!ENTITY own "SECRET">')
    path = tmp_path / "a.nxml"
    path.write_text(f'<!DOCTYPE article SYSTEM "{dtd.as_uri()}">' + ARTICLE.format("&alpha;&own;"))
    assert outcome(read_jats, path) == ("Tα Kept αtext.", "")


@pytest.mark.parametrize("depth", [1_500, 100_000])
def test_deep_nesting_is_refused(tmp_path, depth):
    path = tmp_path / "deep.xml"
    for reader, body, tag in ((read_jats, ARTICLE, "sup"), (read_pubmed, CITATION, "i")):
        nested = f"<{tag}>" * depth + f"</{tag}>" * depth
        path.write_text(body.format(nested, ""))
        text, said = outcome(reader, path)
        assert text == ""
        assert "nested too deeply" in said or "malformed XML" in said


@pytest.mark.parametrize("reader", [read_pubmed, read_jats, read_lines])
def test_gzip_bombs_are_given_up(tmp_path, monkeypatch, reader):
    monkeypatch.setattr(streams.reading, "FREE_BYTES", 2**20)
    path = tmp_path / "bomb.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(20):
            file.write(b"<x>\n" + b"\1" * 2**20)
    text, said = outcome(reader, path)
    assert len(text) < 1000
    assert "taken for a decompression bomb" in said or reader is read_jats
    with pytest.raises(DataError):
        list(reader(path))


def test_honest_gzip_files_are_read_whatever_their_ratio(tmp_path):
    path = tmp_path / "same.gz"
    with gzip.open(path, "wt") as file:
        file.write("the same line\n" * 10_000)
    assert sum(1 for _ in read_lines(path)) == 10_000


def bundle(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, kind, content in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def test_archive_members_that_climb_link_or_are_devices(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    article = ARTICLE.format("").encode()
    path = tmp_path / "bundle.tar.gz"
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE)
    members = [(f"odd{n}.nxml", kind, b"") for n, kind in enumerate(kinds)]
    members += [
        ("../../climbs.nxml", tarfile.REGTYPE, article),
        ("/absolute.xml", tarfile.REGTYPE, article),
        ("folder", tarfile.DIRTYPE, b""),
        ("figure.jpg", tarfile.REGTYPE, b"\xff\xd8"),
    ]
    bundle(path, members)
    before = sorted(tmp_path.parent.rglob("*"))
    documents = list(read_jats(path))
    assert [document.source for document in documents] == [
        f"{path}/../../climbs.nxml",
        f"{path}//absolute.xml",
    ]
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_an_article_beyond_the_limit_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("biobert_jax.corpora.readers.jats.MAX_ARTICLE_BYTES", 10_000)
    path = tmp_path / "bundle.tar.gz"
    article = ARTICLE.format("").encode()
    long = ARTICLE.format("x" * 20_000).encode()
    bundle(path, [(f"{n}.xml", tarfile.REGTYPE, c) for n, c in enumerate([long, article])])
    text, said = outcome(read_jats, path)
    assert text == "T Kept text."
    assert f"{path}/0.xml: is longer than 10,000 bytes" in said
