"""Reading a user's files, local or in a bucket, within limits and with messages.

Whatever cannot be read is a DataError. Files come off the network by the thousand: some are cut
short, some are damaged, and one may be hostile. So no gzip stream may grow out of proportion, and
nothing is read into memory beyond a limit.
"""

import gzip
import hashlib
import io
import os
import re
import zlib
from collections.abc import Iterator
from typing import IO, Any, BinaryIO, cast

from biobert_jax.errors import DataError, at
from biobert_jax.file_kinds import HEAD_BYTES, JSON, TEXT, TEXT_KINDS, expect_kind
from biobert_jax.files.paths import AnyPath, in_bucket, shown, similar, to_path
from biobert_jax.strict_json import parse_json

# PubMed XML shrinks about tenfold and the most repetitive text some fiftyfold; deflate's best,
# which only a bomb reaches, is a thousandfold. Small files are let through whatever their ratio.
MAX_RATIO = 200
FREE_BYTES = 64 * 2**20
MAX_FILE_BYTES = 128 * 2**20
"""The most that is read into memory as one text; the largest public set has 60 MB."""
MAX_LINE_BYTES = 16 * 2**20  # a long book has 3 MB

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class _Guarded(io.RawIOBase):
    """A (decompressing) raw stream that turns failures and excess into DataErrors."""

    def __init__(self, stream: io.BufferedReader | gzip.GzipFile, path: str, limit: int):
        self._stream, self._path, self._limit, self._position = stream, path, limit, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        try:
            count = self._stream.readinto(buffer)
        except (EOFError, zlib.error, OSError) as error:  # gzip.BadGzipFile is an OSError
            raise DataError(
                f"{self._path}: unreadable after byte {self._position:,} of its content ({error}): "
                "truncated or damaged; fetch the file again and compare its checksum"
            ) from error
        self._position += count
        if self._position > self._limit:
            raise DataError(
                f"{self._path}: decompresses to more than {self._limit:,} bytes, {MAX_RATIO} times "
                "its size: taken for a decompression bomb; if it is honest, decompress it first"
            )
        return count

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


def open_bounded(path: AnyPath, buffer_size: int = 2**17) -> io.BufferedReader:
    """Opens `path` for reading bytes, decompressing it if its content (not its name) is gzip.

    Args:
      path: a plain or gzip file; gzip may have several members.
      buffer_size: bytes read at a time.

    Raises:
      DataError: here if the file cannot be opened; while reading if it is truncated, fails its
        checksum, or has decompressed to more than max(FREE_BYTES, MAX_RATIO x its size).
    """
    try:
        file, size = _open(path)
        is_gzip = file.peek(2)[:2] == _GZIP
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise DataError(
            f"{shown(path)}: cannot be read ({reason}); expected a readable file. Check the path"
            f"{similar(path)}"
        ) from error
    if not is_gzip:
        # No limit: what a plain file holds has been paid for with as much disk.
        return io.BufferedReader(_Guarded(file, shown(path), limit=2**63), buffer_size)
    unzipped = gzip.GzipFile(fileobj=file, mode="rb")
    # So that closing the one closes the other; any file will do.
    unzipped.myfileobj = file  # pyright: ignore[reportAttributeAccessIssue]
    limit = max(FREE_BYTES, MAX_RATIO * size)
    return io.BufferedReader(_Guarded(unzipped, shown(path), limit), buffer_size)


def _open(path: AnyPath) -> tuple[io.BufferedReader, int]:
    """A file, to be closed by the caller, and its bytes."""
    if in_bucket(path):
        remote = cast(Any, to_path(path)).open("rb")
        return io.BufferedReader(remote), remote.size
    file = open(path, "rb")  # noqa: SIM115
    return file, os.fstat(file.fileno()).st_size


def read_bounded(stream: IO[bytes], where: str, limit: int | None = None) -> bytes:
    """Reads the rest of a stream into memory, `limit` bytes (MAX_FILE_BYTES) at the most.

    Raises:
      DataError: there is more.
    """
    limit = MAX_FILE_BYTES if limit is None else limit
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise DataError(
            f"{where}: more than {limit:,} bytes, decompressed; expected less, since it is read "
            "into memory. Check what this file is, or split it"
        )
    return data


def read_bytes(path: AnyPath, limit: int | None = None) -> bytes:
    """Reads a file, plain or gzip; errors as `open_bounded` and `read_bounded`."""
    with open_bounded(path) as stream:
        return read_bounded(stream, shown(path), limit)


def read_text(path: AnyPath, *kinds: str, hint: str = "", limit: int | None = None) -> str:
    """Reads a UTF-8 file, plain or gzip, without its byte order mark; line ends stay as they are.

    Args:
      path: the file.
      kinds: of `file_kinds.TEXT_KINDS`, the forms that its reader can make sense of; all of them if
        none is named.
      hint: what to do about a file of another kind.
      limit: in bytes, MAX_FILE_BYTES by default.

    Raises:
      DataError: it cannot be read, looks like something else, is too large or not UTF-8.
    """
    data = read_bytes(path, limit)
    expect_kind(data[:HEAD_BYTES], shown(path), *(kinds or TEXT_KINDS), hint=hint)
    return decode(data.removeprefix(_BOM), shown(path))


def read_lines(path: AnyPath, *kinds: str, hint: str = "") -> Iterator[tuple[int, str]]:
    """Yields the lines of a UTF-8 file as a stream, as `decode_lines` does; see `read_text`."""
    with open_bounded(path) as stream:
        head = stream.peek(HEAD_BYTES)[:HEAD_BYTES]
        expect_kind(head, shown(path), *(kinds or TEXT_KINDS), hint=hint)
        yield from decode_lines(stream, shown(path))


def decode_lines(stream: BinaryIO, where: str) -> Iterator[tuple[int, str]]:
    """Yields (number from 1, line without its end) of a stream of UTF-8, such as standard input.

    Raises:
      DataError: a line is not UTF-8 or has more than MAX_LINE_BYTES, or the lines end in carriage
        returns alone.
    """
    number = 0
    while data := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(data) > MAX_LINE_BYTES:
            raise DataError(
                f"{at(where, number)}: the line has more than {MAX_LINE_BYTES:,} bytes; expected "
                "text in lines. Check what this file is"
            )
        if number == 1:
            data = data.removeprefix(_BOM)
            if not data.endswith(b"\n") and b"\r" in data.rstrip(b"\r"):
                raise carriage_returns(where, 1)
        yield number, decode(data, where, number).rstrip("\r\n")


def split_lines(text: str, where: str) -> Iterator[str]:
    """Yields the lines of a table's text, without their ends (LF or CRLF).

    Not str.splitlines, which also splits at U+2028 and others, which are words in some corpora.
    One by one, since all lines of a large table take several times its size.

    Raises:
      DataError: a carriage return stands within a line.
    """
    if "\r" in text and (inner := re.search(r"\r+[^\r\n]", text)):
        raise carriage_returns(where, text.count("\n", 0, inner.start()) + 1)
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end].rstrip("\r")
        start = end + 1
    yield text[start:].rstrip("\r")


def carriage_returns(where: str, line: int) -> DataError:
    """The error of a file whose lines end as they did on old Macintoshes."""
    return DataError(
        f"{at(where, line)}: a carriage return within the line; expected line ends LF or CR LF. "
        "Convert the file (for example: tr '\\r' '\\n')"
    )


def decode(data: bytes, where: str, first_line: int = 1) -> str:
    """Decodes UTF-8.

    Args:
      data: of the file, or of one line.
      where: what messages call the file.
      first_line: the number of the first line in `data`.

    Raises:
      DataError: names the line, the byte and its place in the line.
    """
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line + data.count(b"\n", 0, error.start)
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise DataError(
            f"{at(where, line)}: byte {column} of the line (0x{data[error.start]:02x}) is not "
            "UTF-8; expected UTF-8 text. Save the file as UTF-8 (for example: iconv -f ISO-8859-1 "
            "-t UTF-8)"
        ) from error


def read_json(path: AnyPath, limit: int | None = None) -> Any:
    """Reads a JSON file; errors as `read_text` and `parse_json`."""
    # What is broken, and so looks like text, is left to the parser, which says where.
    return parse_json(read_text(path, JSON, TEXT, limit=limit), shown(path))


def sha256_of(path: AnyPath) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal.

    Raises:
      DataError: it cannot be read.
    """
    try:
        file, _ = _open(path)
        with file:
            return hashlib.file_digest(cast(Any, file), "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read ({error.strerror or error})") from error
