"""Documents from whatever people have them in: their texts, and the entities that a file gives.

What a file is, its content says; a folder with .txt files is brat's. A file that is to be read as
one form and looks like another is refused.
"""

import re
from collections.abc import Iterator
from typing import Any

from biobert_jax.corpora.readers.documents import Document as Article
from biobert_jax.corpora.readers.documents import Rejected
from biobert_jax.corpora.readers.jats import read_jats
from biobert_jax.corpora.readers.pubmed import read_pubmed
from biobert_jax.errors import DataError
from biobert_jax.file_kinds import HEAD_BYTES, JSON, PUBTATOR, XML, expect_kind, kind_of
from biobert_jax.files import decode, decode_lines, parse_json, read_bounded, to_path
from biobert_jax.inference.formats.bioc_reader import read_bioc, read_bioc_json
from biobert_jax.inference.formats.brat_reader import is_brat, read_brat
from biobert_jax.inference.formats.document import GIVEN, Document, Entity, Pair, checked_entity
from biobert_jax.inference.formats.pubtator import read_pubtator
from biobert_jax.inference.texts import (
    BETWEEN_TITLE_AND_TEXT,
    STANDARD_INPUT,
    Record,
    name_of,
    open_input,
    read_records,
    read_texts,
    text_of,
    without_repeats,
)

TEXT, JSONL, BIOC, BIOC_JSON, BRAT = "text", "jsonl", "bioc", "bioc-json", "brat"
PUBMED, PMC = "pubmed", "pmc"
KINDS = (TEXT, JSONL, PUBMED, PMC, PUBTATOR.lower(), BIOC, BIOC_JSON, BRAT)
"""What `--input-format` may say."""

_PROLOG = re.compile(rb"<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>", re.S)
_ROOT = re.compile(rb"<([A-Za-z_][\w.-]*)")
_ROOTS = {
    b"collection": BIOC,
    **dict.fromkeys((b"PubmedArticleSet", b"PubmedArticle", b"MedlineCitationSet"), PUBMED),
    **dict.fromkeys((b"article", b"pmc-articleset", b"articles"), PMC),
}
_BIOC_LIST = re.compile(rb'"(?:documents|PubTator3|passages)"\s*:\s*\[')
_BIOC_KEYS = re.compile(rb'"(?:passages|infons|source|PubTator3)"\s*:')


def read_documents(
    path: str, kind: str | None = None, whole: bool = False, unique: bool = True
) -> Iterator[Document]:
    """Reads documents one at a time; all forms but BioC JSON in constant memory for any size.

    Args:
      path: a file, plain or gzip; for brat a folder; `-` is standard input.
      kind: of `KINDS`; by default what the content looks like.
      whole: a plain file is one text, line breaks and all.
      unique: whether two documents with one id are an error, for which all ids are remembered.

    Returns:
      Documents with ids and texts; with the entities that PubTator, BioC and brat files give.

    Raises:
      DataError: it cannot be read, looks like another form, a record is damaged, or two documents
        have one id; names the line or the record.
    """
    if path == STANDARD_INPUT:  # somebody may still be typing it: looked at when it is read
        return _later(path, kind, whole, unique)
    return _documents(path, kind, whole, unique)


def _later(path: str, kind: str | None, whole: bool, unique: bool) -> Iterator[Document]:
    yield from _documents(path, kind, whole, unique)


def _documents(path: str, kind: str | None, whole: bool, unique: bool) -> Iterator[Document]:
    if path != STANDARD_INPUT and to_path(path).is_dir():
        if kind not in (None, BRAT) or not is_brat(path):
            wanted = "a folder of brat with .txt files" if kind in (None, BRAT) else "a file"
            raise DataError(f"{name_of(path)}: is a folder (directory); expected {wanted}")
        placed = read_brat(path)
    elif kind == BRAT:
        raise DataError(f"{name_of(path)}: is no folder; expected one with .txt files, as brat has")
    else:
        found = kind_of_input(path)
        if whole or found == TEXT:
            # The reader of texts says what is wrong with what is no text.
            if kind not in (None, TEXT, JSONL):
                _refuse(path, kind)
            if kind != JSONL:
                return (Document(id_, text) for id_, text in read_texts(path, whole))
        if kind not in (None, found):
            _refuse(path, kind, found)
        placed = _placed(path, found)
    return without_repeats(placed) if unique else (document for _, document in placed)


def kind_of_input(path: str) -> str:
    """What a file looks like, of `KINDS`; `text` for all that is none of the others."""
    with open_input(path) as stream:
        head = stream.peek(HEAD_BYTES)[:HEAD_BYTES]
    general = kind_of(head)
    if general == PUBTATOR:
        return PUBTATOR.lower()
    if general == XML:
        root = _ROOT.search(_PROLOG.sub(b"", head))
        return _ROOTS.get(root[1] if root else b"", TEXT)
    if general == "a tar archive":
        return PMC
    if general == JSON:
        is_bioc = _BIOC_LIST.search(head) and _BIOC_KEYS.search(head)
        return BIOC_JSON if is_bioc else JSONL
    return JSONL if path.endswith((".jsonl", ".jsonl.gz")) else TEXT


def _refuse(path: str, kind: str, found: str = "something else") -> None:
    raise DataError(
        f"{name_of(path)}: is to be read as {kind}, but looks like {found}; expected {kind}. Leave "
        "--input-format out, or name another file"
    )


def _placed(path: str, kind: str) -> Iterator[tuple[str, Document]]:
    """Documents with their places."""
    if kind in (PUBMED, PMC):
        if path == STANDARD_INPUT:
            raise DataError(
                "standard input: looks like XML of PubMed or PMC, which is read from a file; "
                "expected --input FILE"
            )
        reader: Any = read_pubmed if kind == PUBMED else read_jats
        articles = reader(path, on_error=_refuse_record)
        return ((article.source, _of_article(article)) for article in articles)
    if kind == JSONL:
        return ((record.place, _of_record(record)) for record in read_records(path))
    return _streamed(path, kind)


def _refuse_record(rejected: Rejected) -> None:
    raise DataError(f"{rejected}. Correct the record, or take it out")


def _streamed(path: str, kind: str) -> Iterator[tuple[str, Document]]:
    where = name_of(path)
    with open_input(path) as stream:
        if kind == PUBTATOR.lower():
            yield from read_pubtator(decode_lines(stream, where), where)
        elif kind == BIOC:
            yield from read_bioc(stream, where)
        else:
            data = read_bounded(stream, where)
            expect_kind(data[:HEAD_BYTES], where, JSON)
            text = decode(data, where).removeprefix("\ufeff")
            yield from read_bioc_json(parse_json(text, where), where)


def _of_article(article: Article) -> Document:
    parts = (article.title, *article.paragraphs)
    return Document(article.id, BETWEEN_TITLE_AND_TEXT.join(part for part in parts if part))


def _of_record(record: Record) -> Document:
    return Document(*text_of(record))


def read_annotated(path: str) -> Iterator[Document]:
    """Reads the JSON lines that `biobert annotate` writes, with entities and relations.

    Raises:
      DataError: a line is no such object, or an entity is not of its text; names the line.
    """
    for record in read_records(path):
        document = _of_record(record)
        try:
            entities = [
                _entity(one, document.text, record.place) for one in record.values["entities"]
            ]
            relations = [_pair(one, len(entities)) for one in record.values.get("relations", ())]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{record.place}: found entities or relations of another form "
                f"({type(error).__name__}: {error}); expected what biobert annotate writes"
            ) from error
        yield Document(document.id, document.text, tuple(entities), tuple(relations))


def _entity(values: dict[str, Any], text: str, where: str) -> Entity:
    entity = Entity(
        int(values["start"]),
        int(values["end"]),
        str(values["type"]),
        str(values["text"]),
        float(values.get("score", GIVEN)),
        str(values.get("model", "")),
    )
    return checked_entity(entity, text, where)


def _pair(values: dict[str, Any], entities: int) -> Pair:
    first, second = int(values["first"]), int(values["second"])
    if not (0 <= first < entities and 0 <= second < entities):
        raise ValueError(f"the pair {first}, {second} of {entities} entities")
    score = float(values.get("score", GIVEN))
    return Pair(first, second, str(values["label"]), score, str(values.get("model", "")))
