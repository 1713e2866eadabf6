"""PubMed Central's full text (JATS and NLM DTD) to documents: files and .tar.gz bundles.

What is read: the title, the abstract, and the body's paragraphs, list items, definitions,
quotations and boxes in reading order. What is not: tables, references, displayed formulas,
graphics, footnotes, supplementary material, back matter (acknowledgements, appendices), graphical
abstracts and tables of contents, translated abstracts, and peer reviews appended as sub-articles.
"""

import os
import re
import tarfile
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from lxml import etree

from biobert_jax.corpora.readers.documents import (
    Document,
    OnError,
    ReadStatistics,
    Rejected,
    raise_rejected,
    rejection,
)
from biobert_jax.corpora.readers.markup import append_inline, normalise, parse_xml, superscript
from biobert_jax.errors import DataError
from biobert_jax.file_kinds import HEAD_BYTES, TEXT, XML, expect_kind
from biobert_jax.files import open_bounded, shown

MAX_ARTICLE_BYTES = 32 * 2**20  # a tree takes some ten times as much

_LEFT_OUT = frozenset(
    """array chem-struct disp-formula disp-formula-group fn fn-group graphic inline-graphic
    inline-supplementary-material label media object-id permissions private-char ref-list
    related-article related-object sec-meta supplementary-material table table-wrap-foot tex-math
    x""".split()  # noqa: SIM905
)
# What looks like text is left to the parser, which says where it is broken; it reads UTF-16, too.
_KINDS = (XML, TEXT, "UTF-16 text", "UTF-32 text")
_FLOATS = frozenset(["fig", "fig-group", "table-wrap", "table-wrap-group", "chem-struct-wrap"])
_BLOCKS = frozenset(
    """abstract ack body boxed-text caption def def-item def-list disp-quote list list-item p
    preformat sec speech statement term verse-group verse-line""".split()  # noqa: SIM905
)
# Where figures and tables stand that do not float in the text.
_CAPTIONS_APART = (
    "back/sec[@sec-type='display-objects']//caption",
    "floats-group//caption",
    "floats-wrap//caption",
)
_NOT_PROSE = frozenset(["graphical", "toc", "teaser"])  # abstract-type
_FOOTNOTE_MARKS = frozenset(["fn", "table-fn", "corresp", "author-notes"])  # xref's ref-type
_NUMERIC = re.compile(r"[\[(]?\s*\w?\d+\w?(?:[\s,;:\u2010-\u2015-]+\w?\d+\w?)*\s*[\])]?")
_CITATION = "\ue000"  # private use: stands for a numeric citation until its brackets are gone
_CITATIONS = re.compile(
    r"\s*(?:[\[(]\s*{0}(?:{1}{0})*\s*[\])]|{0}(?:{1}{0})*)(?:\s+(?=[.,;:)]))?".format(
        _CITATION, r"[\s,;:\u2010-\u2015-]*"
    )
)


class _Options(NamedTuple):
    captions: bool
    section_titles: bool
    citations: bool


def read_jats(
    path: str | os.PathLike[str],
    *,
    captions: bool = False,
    section_titles: bool = False,
    citations: bool = False,
    statistics: ReadStatistics | None = None,
    on_error: OnError = raise_rejected,
) -> Iterator[Document]:
    """Yields the articles of one file: .nxml or .xml, plain or gzip, or a tar bundle of them.

    Archives are read as streams and nothing is ever extracted, so names that climb out of their
    folder are only names; links, devices and members that are not XML are counted and passed over.

    Args:
      path: the file; archives are known by their content or by ".tar" or ".tgz" in the name.
      captions: whether captions of figures and tables follow the paragraph they float in.
      section_titles: whether section titles are paragraphs of their own.
      citations: whether numeric citations stay ("as shown [12]"). References by author and year are
        part of the sentence and always stay.
      statistics: is added to.
      on_error: is called for each broken article; reading continues if it returns.

    Raises:
      DataError: by the default `on_error`.
    """
    file, path = path, shown(path)
    statistics = ReadStatistics() if statistics is None else statistics
    statistics.files += 1
    options = _Options(captions, section_titles, citations)

    def reject_file(reason: str) -> None:
        statistics.rejected_files += 1
        on_error(Rejected(path, "", reason))

    for source, data in _articles(file, statistics, reject_file):
        statistics.records += 1
        try:
            if len(data) > MAX_ARTICLE_BYTES:
                raise DataError(f"is longer than {MAX_ARTICLE_BYTES:,} bytes, which no article is")
            document = _document(parse_xml(data), source, options)
        except (DataError, RecursionError) as error:
            statistics.rejected += 1
            on_error(Rejected(source, "", rejection(error)))
            continue
        if document.paragraphs:
            statistics.documents += 1
            yield document
        else:
            statistics.empty += 1


def _articles(
    path: str | os.PathLike[str],
    statistics: ReadStatistics,
    reject_file: Callable[[str], None],
) -> Iterator[tuple[str, bytes]]:
    """Yields (source, content) of each XML file in `path`, at most one byte more than allowed."""
    where = shown(path)
    try:
        with open_bounded(path) as stream:
            head = stream.peek(HEAD_BYTES)[:HEAD_BYTES]
            if head[257:262] == b"ustar" or re.search(r"\.(tar|tgz)\b", where):
                yield from _members(stream, where, statistics)
            else:
                expect_kind(head, where, *_KINDS, hint="use PMC's XML (--source pmc)")
                yield where, stream.read(MAX_ARTICLE_BYTES + 1)
    except DataError as error:
        reject_file(str(error).removeprefix(f"{where}: "))


def _members(
    stream: BinaryIO, path: str, statistics: ReadStatistics
) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                # Or tarfile would keep every member it has seen.
                archive.members = []  # pyright: ignore[reportAttributeAccessIssue]
                if member.isreg() and member.name.lower().endswith((".nxml", ".xml")):
                    file = archive.extractfile(member)
                    assert file is not None, "regular files have content"
                    data = file.read(MAX_ARTICLE_BYTES + 1)
                    yield f"{path}/{shown(member.name)}", data
                elif not member.isdir():
                    statistics.skipped_members += 1
            # A damaged header ends tarfile's loop as if it were the end of the archive.
            while rest := archive.fileobj.read(2**16):
                if rest.strip(b"\0"):
                    raise tarfile.ReadError("a member's header is damaged")
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise DataError(f"damaged tar archive ({error}): fetch the file again") from error


def _document(root: etree._Element, source: str, options: _Options) -> Document:
    if root.tag.startswith("{"):
        namespace = root.tag[: root.tag.index("}") + 1]
        for element in root.iter(namespace + "*"):
            element.tag = element.tag.removeprefix(namespace)
    article = root if root.tag == "article" else root.find("article")
    if article is None:
        raise DataError(f"root is <{root.tag}>, expected <article> (JATS or NLM DTD)")
    meta = article.find("front/article-meta")
    ids = {} if meta is None else _ids(meta)
    titles = _text_of(meta, "title-group/article-title", options)
    abstracts = _text_of(meta, "abstract", options)
    body = _text_of(article, "body", options)
    if options.captions:
        for path in _CAPTIONS_APART:
            body += _text_of(article, path, options)
    return Document(
        id=ids.get("pmc") or ids.get("doi") or source,
        title=" ".join(titles),
        paragraphs=(*abstracts, *body),
        source=source,
        pmid=ids.get("pmid", ""),
    )


def _ids(meta: etree._Element) -> dict[str, str]:
    ids = {}
    for element in meta.iterfind("article-id"):
        kind, text = element.get("pub-id-type", ""), normalise(element.text or "")
        if kind in ("pmc", "pmcid", "pmc-uid") and text.removeprefix("PMC").isdigit():
            ids["pmc"] = "PMC" + text.removeprefix("PMC")
        elif text:
            ids[kind] = text
    return ids


def _text_of(parent: etree._Element | None, path: str, options: _Options) -> list[str]:
    """The paragraphs under the children of `parent` that `path` names."""
    blocks = _Blocks(options)
    for element in () if parent is None else parent.iterfind(path):
        if element.get("abstract-type") not in _NOT_PROSE:
            blocks.add(element)
            blocks.end_paragraph()
    return blocks.paragraphs


class _Blocks:
    """Collects paragraphs while walking the elements of an article in reading order.

    A paragraph may hold blocks (a list, a quotation): the text before and after them become
    paragraphs of their own. Captions wait until the paragraph that they float in has ended.
    """

    def __init__(self, options: _Options):
        self.paragraphs: list[str] = []
        self._options = options
        self._parts: list[str] = []
        self._captions: list[etree._Element] = []

    def add(self, element: etree._Element) -> None:
        """Adds an element's content, not its tail."""
        tag = element.tag
        if not isinstance(tag, str):  # a reference to an entity that nothing defines
            return
        if tag in _FLOATS:
            if self._options.captions:
                self._captions += element.iter("caption")
        elif tag in _LEFT_OUT:
            pass
        elif tag == "title":
            if self._options.section_titles or element.getparent().tag == "caption":
                self._add_block(element)
        elif tag in _BLOCKS:
            self._add_block(element)
        elif tag == "xref":
            self._add_reference(element)
        elif tag == "sup":
            before = "".join(self._parts[-2:])
            self._parts.append(superscript(before, self._text_inside(element)))
        elif tag == "break":
            self._parts.append(" ")
        elif tag.endswith("}math"):
            append_inline(element, self._parts)
        else:
            self._add_content(element)

    def end_paragraph(self) -> None:
        text = "".join(self._parts)
        if _CITATION in text:
            text = _CITATIONS.sub("", text)
        if text := normalise(text):
            self.paragraphs.append(text)
        self._parts.clear()
        captions, self._captions = self._captions, []
        for caption in captions:
            self._add_block(caption)

    def _add_block(self, element: etree._Element) -> None:
        self.end_paragraph()
        self._add_content(element)
        self.end_paragraph()

    def _add_content(self, element: etree._Element) -> None:
        if element.text:
            self._parts.append(element.text)
        for child in element:
            self.add(child)
            if child.tail:
                self._parts.append(child.tail)

    def _text_inside(self, element: etree._Element) -> str:
        outside, self._parts = self._parts, []
        self._add_content(element)
        inside, self._parts = self._parts, outside
        return "".join(inside)

    def _add_reference(self, element: etree._Element) -> None:
        kind = element.get("ref-type")
        if kind in _FOOTNOTE_MARKS:
            return
        text = self._text_inside(element)
        if kind == "bibr" and not self._options.citations and _NUMERIC.fullmatch(text.strip()):
            text = _CITATION
        self._parts.append(text)
