"""Reading BioC, XML or JSON: passages at their offsets, and their annotations.

A document's text is its passages (or their sentences), each at its own offset, with line breaks in
the gaps. So offsets are those of the file.
"""

from collections.abc import Iterable, Iterator
from typing import IO, Any, NamedTuple

from lxml import etree

from biobert_jax.errors import DataError
from biobert_jax.inference.formats.document import GIVEN, Document, Entity, checked_entity

_LARGEST_GAP = 10_000
"""Characters; a gap becomes line breaks, so that a false offset could fill the memory."""


class _Part(NamedTuple):
    """A stretch of text, and what is annotated in it."""

    offset: int
    text: str
    annotations: list[tuple[dict[str, str], str, list[tuple[int, int]]]]


def read_bioc(stream: IO[bytes], where: str) -> Iterator[tuple[str, Document]]:
    """Reads BioC XML, a document at a time.

    Args:
      stream: the file's bytes.
      where: what messages call the file.

    Returns:
      Each document with its place, for messages.

    Raises:
      DataError: it is no BioC, or a document is damaged; names the document.
    """
    number = 0
    # No entity of the file's own is put in, nothing is fetched, and what is read is let go.
    events = etree.iterparse(
        stream, tag="document", resolve_entities=False, no_network=True, load_dtd=False
    )
    try:
        for _, element in events:
            number += 1
            yield _document(_xml_parts(element, where, number), _id(element), where, number)
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise DataError(
            f"{where}: after {number} documents: malformed XML ({error.msg}); expected a BioC "
            "collection. Write the file again, or fetch it again"
        ) from error


def _id(element: etree._Element) -> str:
    return (element.findtext("id") or "").strip()


def _xml_parts(element: etree._Element, where: str, number: int) -> Iterator[_Part]:
    for passage in element.iter("passage"):
        pieces = [passage] if passage.find("text") is not None else passage.findall("sentence")
        others = [passage] if pieces and pieces[0] is not passage else []
        for piece in (*pieces, *others):
            text = piece.find("text")
            if text is not None and len(text):
                raise _damaged(where, number, "markup or an entity reference within a text")
            found = []
            annotations = piece.findall("annotation")
            if piece is passage:
                annotations += piece.findall("sentence/annotation") if not others else []
            for annotation in annotations:
                infons = {i.get("key", ""): i.text or "" for i in annotation.findall("infon")}
                places = [
                    (
                        _integer(p.get("offset"), where, number),
                        _integer(p.get("length"), where, number),
                    )
                    for p in annotation.findall("location")
                ]
                found.append((infons, annotation.findtext("text") or "", places))
            offset = _integer(piece.findtext("offset") or "0", where, number)
            yield _Part(offset, "" if text is None else text.text or "", found)


def read_bioc_json(content: Any, where: str) -> Iterator[tuple[str, Document]]:
    """Reads BioC JSON that has been parsed: a collection, a document, or PubTator3's export.

    Returns and raises as `read_bioc`.
    """
    if isinstance(content, dict) and "passages" in content:
        content = [content]
    elif isinstance(content, dict):
        content = content.get("documents", content.get("PubTator3"))
    if not isinstance(content, list):
        raise DataError(f"{where}: found no list of `documents`; expected a BioC collection")
    for number, document in enumerate(content, start=1):
        try:
            parts = list(_json_parts(document["passages"]))
            id_ = str(document["id"]).strip()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _damaged(where, number, f"{type(error).__name__}: {error}") from error
        yield _document(parts, id_, where, number)


def _json_parts(passages: list[dict[str, Any]]) -> Iterator[_Part]:
    for passage in passages:
        pieces = [passage] if passage.get("text") is not None else passage.get("sentences", [])
        others = [passage] if pieces and pieces[0] is not passage else []
        for piece in (*pieces, *others):
            annotations = list(piece.get("annotations", ()))
            if piece is passage and not others:
                annotations += [
                    one for s in passage.get("sentences", ()) for one in s.get("annotations", ())
                ]
            found = [
                (
                    {str(k): str(v) for k, v in one.get("infons", {}).items()},
                    str(one.get("text") or ""),
                    [(int(p["offset"]), int(p["length"])) for p in one["locations"]],
                )
                for one in annotations
            ]
            yield _Part(int(piece.get("offset", 0)), str(piece.get("text") or ""), found)


def _document(parts: Iterable[_Part], id_: str, where: str, number: int) -> tuple[str, Document]:
    text, entities = "", []
    place = f"{where}: document {number}" + (f" (id {id_!r})" if id_ else "")
    for part in parts:
        entities += part.annotations
        if not part.text:
            continue
        gap = part.offset - len(text)
        if not 0 <= gap <= _LARGEST_GAP:
            raise DataError(
                f"{place}: a passage at offset {part.offset}, where the text before it ends at "
                f"{len(text)}; expected passages one after the other, offsets in characters. "
                "Correct the offsets"
            )
        text += "\n" * gap + part.text
    found = [
        checked_entity(_entity(text, *annotation), text, place)
        for annotation in entities
        if annotation[-1]
    ]
    found.sort(key=lambda e: (e.start, -e.end))
    return place, Document(id_ or str(number), text, tuple(found))


def _entity(text: str, infons: dict[str, str], said: str, places: list[tuple[int, int]]) -> Entity:
    """Of several locations it goes from the first to the last, with what is between."""
    start, end = min(o for o, _ in places), max(o + n for o, n in places)
    kind = infons.get("type", "entity")
    written = text[start:end] if len(places) > 1 else said
    return Entity(start, end, kind, written, _score(infons), infons.get("model", ""))


def _score(infons: dict[str, str]) -> float:
    try:
        return float(infons.get("score", GIVEN))
    except ValueError:
        return GIVEN


def _integer(text: str | None, where: str, number: int) -> int:
    try:
        return int(text or "")
    except ValueError as error:
        raise _damaged(where, number, f"the offset or length {text!r}") from error


def _damaged(where: str, number: int, found: str) -> DataError:
    return DataError(
        f"{where}: document {number}: found {found[:100]}; expected BioC: passages with offset and "
        "text, annotations with locations. Write the file again"
    )
