"""From XML elements to text that a person would recognise."""

import html.entities
import re
import unicodedata

from lxml import etree

from biobert_jax.errors import DataError

# Entities are neither expanded nor fetched; libxml2's own limits (depth 256, 10 MB a text node,
# entity amplification) stay in force.
_SAFE = {
    "resolve_entities": False,
    "load_dtd": False,
    "no_network": True,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
}
_FRAGMENT = (
    b'<fragment xmlns:mml="http://www.w3.org/1998/Math/MathML" '
    b'xmlns:xlink="http://www.w3.org/1999/xlink">\n%b</fragment>'
)
_NAMED_ENTITY = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos);)([A-Za-z][A-Za-z0-9]*);")
# Zero-width characters, soft hyphens, byte order marks; controls that are no blanks to str.split.
_INVISIBLE = re.compile(
    "[\u00ad\u200b-\u200f\u2060-\u2064\ufeff\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]"
)

# Some publishers put blanks around every tag: "CO <sub>2</sub> ) and", "( <i>P</i> < 0.05)". What a
# sub- or superscript belongs to is a formula, a number or a unit, not a word like "with".
_SCRIPT_BASE = re.compile(r"(?:[A-Z0-9)\]][a-z]{0,2}|(?<![^\W\d_])(?:[mcdkn]?m|kg|[a-z]))\s+$")
_PUSHED_AWAY = re.compile(r"(?<=[(\[]) (?=\S)|(?<=\S) (?=[)\],;:.]+(?:\s|$))")

MATHML = "{http://www.w3.org/1998/Math/MathML}"
# Mathematics that does not survive being written in one line.
_TWO_DIMENSIONAL = {MATHML + name for name in ("mfrac", "mtable", "munderover", "msqrt", "mroot")}
_DIGITS = tuple("0123456789")
_WIDTH = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")  # else a name: "thickmathspace"


def safe_parser(**options) -> etree.XMLParser:
    """An XML parser that loads and expands nothing but the document it is given."""
    return etree.XMLParser(**(_SAFE | options))


def parse_xml(data: bytes, is_fragment: bool = False) -> etree._Element:
    """Parses a document, or one element cut out of a document (`is_fragment`).

    Named character entities of HTML and JATS ("&alpha;"), whose definitions are in DTDs that are
    never loaded, become their characters. Any other entity's reference is empty where a
    DOCTYPE is present and is an error where none is. In a fragment the prefixes that its document
    may have declared further up (mml, xlink) are known.

    Raises:
      DataError: what libxml2 says and where, counted from the beginning of `data`.
    """
    if b"&" in data:
        data = _NAMED_ENTITY.sub(_numeric_reference, data)
    try:
        if is_fragment:
            return etree.fromstring(_FRAGMENT % data, safe_parser())[0]
        return etree.fromstring(data, safe_parser())
    except etree.XMLSyntaxError as error:
        line, column = error.position
        message = re.sub(r", line \d+, column \d+$", "", error.msg or "no XML")
        raise DataError(
            f"malformed XML in line {line - is_fragment}, column {column} ({message})"
        ) from error


def _numeric_reference(match: re.Match[bytes]) -> bytes:
    characters = html.entities.html5.get(match[1].decode("ascii") + ";")
    if characters is None:
        return match[0]
    return "".join(f"&#{ord(c)};" for c in characters).encode("ascii")


def normalise(text: str) -> str:
    """NFC, single blanks, nothing invisible, no blank at either end."""
    if not text.isascii():
        text = _INVISIBLE.sub("", unicodedata.normalize("NFC", text))
    elif not text.isprintable():
        text = _INVISIBLE.sub("", text)
    return " ".join(text.split())


def inline_text(element: etree._Element) -> str:
    """The normalised text of an element with inline markup (i, b, u, sub, sup, mml:math, ...).

    Marks of emphasis vanish, subscripts and superscripts join what they follow ("H2O", "Ca2+"),
    except that a superscript after a digit is a power: "10^6", "10^-3". Mathematics is read from
    left to right; what is built upwards (fractions, tables, roots) is left out.
    """
    if not len(element):
        return normalise(element.text or "")
    parts: list[str] = []
    append_text(element, parts)
    return _PUSHED_AWAY.sub("", normalise("".join(parts)))


def append_text(element: etree._Element, parts: list[str]) -> None:
    """Appends the text inside `element` (not its tail) to `parts`, as `inline_text` reads it."""
    if element.text:
        parts.append(element.text)
    for child in element:
        tail = child.tail or ""
        if child.tag in ("sub", "sup") and not tail[:1].isalnum():
            before = "".join(parts[-3:])
            if before[-1:].isspace() and _SCRIPT_BASE.search(before):
                parts[-3:] = [before.rstrip()]
        if isinstance(child.tag, str):  # not an entity reference that nothing defines
            append_inline(child, parts)
        parts.append(tail)


def append_inline(element: etree._Element, parts: list[str]) -> None:
    """Appends one inline element's text (not its tail) to `parts`."""
    if element.tag == MATHML + "math":
        parts.append(_mathematics(element))
    elif element.tag == "sup":
        inner: list[str] = []
        append_text(element, inner)
        parts.append(superscript("".join(parts[-2:]), "".join(inner)))
    else:
        append_text(element, parts)


def superscript(before: str, text: str) -> str:
    """`text` as it reads raised after `before`: a power after a digit, else plain."""
    raised = text.lstrip()
    is_power = before[-1:] in _DIGITS and raised.lstrip("+-–\u2212")[:1] in _DIGITS
    return "^" + raised if is_power else text


def _mathematics(element: etree._Element) -> str:
    parts = []
    for part in element.iter(MATHML + "*"):
        if part.tag in _TWO_DIMENSIONAL:
            return ""
        if part.tag == MATHML + "mspace":
            parts.append(" " if _is_wide(part) else "")
        elif not _is_accent(part):
            # Indentation inside MathML means nothing; no-break and thin spaces are blanks that
            # someone has put there, and so is a plain one in an mtext.
            text = part.text or ""
            is_blank_meant = part.tag == MATHML + "mtext" and "\n" not in text
            parts.append(text if is_blank_meant else text.strip(" \t\r\n"))
    return "".join(parts)


def _is_wide(space: etree._Element) -> bool:
    """Whether an mspace is wider than nothing."""
    if space.get("linebreak") in ("newline", "indentingnewline"):
        return True
    width = space.get("width", "0").strip()
    number = _WIDTH.match(width)
    return float(number[0]) > 0 if number else width.endswith("space") and width[:1] != "n"


def _is_accent(element: etree._Element) -> bool:
    """Whether it is the dot over V, the bar over x: marks that no one writes in a line."""
    if element.tag != MATHML + "mo" or element.getparent().tag != MATHML + "mover":
        return False
    return element.getnext() is None
