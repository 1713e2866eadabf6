"""Opens plain and gzip files as bounded streams whose every failure is a DataError.

Corpora come off the network by the thousand: some are cut short, some are damaged, and one may be
hostile. A decompressed stream is never held as a whole, and a gzip stream that grows out of
proportion (`MAX_RATIO`) is given up, so that a bomb costs neither memory nor hours.
"""

import gzip
import io
import os
import zlib
from typing import BinaryIO

from biobert_jax.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"

# PubMed XML shrinks about tenfold and the most repetitive text some fiftyfold; deflate's best,
# which only a bomb reaches, is a thousandfold. Small files are let through whatever their ratio.
MAX_RATIO = 200
FREE_BYTES = 64 * 2**20


class _Guarded(io.RawIOBase):
    """A (decompressing) raw stream that turns failures and excess into DataErrors."""

    def __init__(self, stream: BinaryIO, path: str, limit: int):
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


def open_stream(path: str | os.PathLike[str], buffer_size: int = 2**17) -> io.BufferedReader:
    """Opens `path` for reading bytes, decompressing it if its content (not its name) is gzip.

    Args:
      path: a plain or gzip file; gzip may have several members.
      buffer_size: bytes read at a time.

    Raises:
      DataError: here if the file cannot be opened; while reading if it is truncated, fails its
        checksum, or has decompressed to more than max(FREE_BYTES, MAX_RATIO x its size).
    """
    path = os.fspath(path)
    try:
        file = open(path, "rb")  # noqa: SIM115 (closed with the stream that is returned)
        size = os.fstat(file.fileno()).st_size
        is_gzip = file.peek(2)[:2] == GZIP_MAGIC
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if not is_gzip:
        # No limit: what a plain file holds has been paid for with as much disk.
        return io.BufferedReader(_Guarded(file, path, limit=2**63), buffer_size)
    unzipped = gzip.GzipFile(fileobj=file, mode="rb")
    unzipped.myfileobj = file  # so that closing the one closes the other
    limit = max(FREE_BYTES, MAX_RATIO * size)
    return io.BufferedReader(_Guarded(unzipped, path, limit), buffer_size)
