"""What a file looks like, from its first bytes, so that no reader takes one form for another.

A name says what a file ought to be; its content says what it is. Readers call `expect_kind` before
they read, and a PubMed file given as text is an error instead of a corpus of tags.
"""

import codecs
import re

from biobert_jax.errors import DataError

HEAD_BYTES = 4096
"""As much of a file's beginning as is looked at."""

TEXT, XML, HTML, JSON, CONLL = "plain text", "XML", "HTML", "JSON", "CoNLL columns"
PUBTATOR, MEDLINE = "PubTator", "MEDLINE's tagged text"
TEXT_KINDS = (TEXT, XML, HTML, JSON, CONLL, PUBTATOR, MEDLINE)

_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "a zip archive or an Office file"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"%PDF-", "PDF"),
    (b"PAR1", "Parquet"),
    (b"ARROW1", "Arrow"),
    (b"Obj\x01", "Avro"),
    (b"\x89HDF\r\n", "HDF5"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"SQLite format 3", "an SQLite database"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"\xd0\xcf\x11\xe0", "an old Office file"),
    (b"{\\rtf", "RTF"),
    (b"version https://git-lfs", "a pointer of Git LFS"),
    (codecs.BOM_UTF32_LE, "UTF-32 text"),
    (codecs.BOM_UTF16_LE, "UTF-16 text"),
    (codecs.BOM_UTF16_BE, "UTF-16 text"),
)
_TAR = slice(257, 262)
_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html\b)", re.I | re.S
)
_XML = re.compile(rb"\s*<(?:\?xml\b|!DOCTYPE\b|!--)")
_NESTED = re.compile(rb"\s*<[A-Za-z_][\w.:-]*(?:\s[^<>]*)?>\s*<[A-Za-z_]")
# An object, or a list of strings, objects or lists; not "[Vaccines are drugs]." or "[[ KRT1 ]] is".
_JSON = re.compile(rb"\s*(?:\{\s*[\"}]|\[\s*(?:[\"\]]|\{\s*(?:[\"}]|\Z)|\[\s*[\"{\[\d-]))")
_PUBTATOR = re.compile(rb"\s*\w+\|[ta]\|")
_MEDLINE = re.compile(rb"\s*PMID- ?\d")
_CONLL = re.compile(rb"(?:\S+(?:[ \t]\S+)*[ \t](?:O|[BIESLU](?:-\S+)?)|-DOCSTART-.*)[ \t\r]*")
_CONLL_LINES = 5

_WHAT_TO_DO = {
    "gzip": "decompress it once more",
    "a pointer of Git LFS": "fetch the file itself (git lfs pull)",
    "UTF-16 text": "save it as UTF-8 (for example: iconv -f UTF-16 -t UTF-8)",
    "UTF-32 text": "save it as UTF-8 (for example: iconv -f UTF-32 -t UTF-8)",
    HTML: "check that the download is the file itself, not a page about it",
}


def kind_of(head: bytes) -> str:
    """Names the form of a file from its first bytes (`HEAD_BYTES` of them will do).

    Returns:
      One of `TEXT_KINDS`, or what a person calls the binary form. `TEXT` is whatever looks like
      nothing else; an empty file is text.
    """
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[_TAR] == b"ustar":
        return "a tar archive"
    head = head.removeprefix(codecs.BOM_UTF8)
    if b"\0" in head:
        return "a binary file"
    if _HTML.match(head):
        return HTML
    if _XML.match(head):
        return XML
    # A tag can be a word ("<unk>") or a mark ("<GENE> KRT1 </GENE> is"); one within another is XML.
    if _NESTED.match(head) and b"\t" not in head.partition(b"\n")[0]:
        return XML
    for pattern, kind in ((_JSON, JSON), (_PUBTATOR, PUBTATOR), (_MEDLINE, MEDLINE)):
        if pattern.match(head):
            return kind
    return CONLL if _is_conll(head) else TEXT


def expect_kind(head: bytes, where: str, *wanted: str, hint: str = "") -> None:
    """Refuses a file that looks like another form than it is to be read as.

    Args:
      head: its first bytes.
      where: what messages call it.
      wanted: of `TEXT_KINDS`, the one that messages name first; empty files always pass. With
        `TEXT` among them, what looks like nothing else is left to the reader's own checks.
      hint: what to do, where the reader knows more than this module.

    Raises:
      DataError: says what the file looks like, and what was expected.
    """
    kind = kind_of(head)
    if kind in wanted or not head.strip():
        return
    advice = _WHAT_TO_DO.get(kind) or hint or "convert it, or name another file"
    raise DataError(f"{where}: looks like {kind}, expected {wanted[0]}; {advice}")


def _is_conll(head: bytes) -> bool:
    """Whether the first lines are each a word, perhaps other columns, and a tag."""
    lines = [line for line in head.split(b"\n")[:-1] if line.strip()][: 4 * _CONLL_LINES]
    # Columns by tabs, or two by a blank: "It was O" is a sentence.
    return len(lines) >= _CONLL_LINES and all(
        _CONLL.fullmatch(line) and (b"\t" in line or line.count(b" ") <= 1) for line in lines
    )
