"""Writing a user's files: whole or not at all, on a disk and in a bucket."""

import contextlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from biobert_jax.errors import DataError, WriteError
from biobert_jax.files.paths import AnyPath, in_bucket, shown, to_path


@contextlib.contextmanager
def atomic_writing(path: AnyPath) -> Iterator[Path]:
    """Gives a temporary path to write to; when the block ends well, it takes the name `path`.

    So the file is the old one or the whole new one, whatever happens. Folders are created. What is
    no regular file (a pipe, /dev/stdout) is written to directly. What is to be in a bucket is
    written to a temporary folder of this machine, and uploaded in one piece.

    Raises:
      WriteError: a full disk, a quota, a missing permission, a folder of that name.
    """
    if in_bucket(path):
        with writing(path), tempfile.TemporaryDirectory(prefix="biobert-") as folder:
            temporary = Path(folder) / to_path(path).name
            yield temporary
            cast(Any, to_path(path)).upload(temporary)
        return
    path = Path(path)
    with writing(path):
        if path.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        if path.exists() and not path.is_file():
            yield path
            return
        path = Path(os.path.realpath(path))  # or a link would be replaced, not what it points to
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name[:40]}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
        try:
            yield temporary
            if path.exists():
                shutil.copymode(path, temporary)
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: AnyPath) -> Iterator[None]:
    """Turns a full disk, a quota or a missing permission within the block into a WriteError."""
    try:
        yield
    except OSError as error:
        if in_bucket(error.filename):
            raise WriteError(f"{shown(path)}: could not be written: {error.strerror}") from error
        raise WriteError(
            f"{shown(path)}: could not be written ({error.strerror or error}). Make room, or "
            "choose another place, and give the same command again"
        ) from error
    except UnicodeEncodeError as error:
        raise WriteError(
            f"{shown(path)}: could not be written: it would hold "
            f"U+{ord(error.object[error.start]):04X}, half a surrogate pair, at character "
            f"{error.start}; expected Unicode text. Correct the input that it came from"
        ) from error


def write_text(path: AnyPath, text: str | Iterable[str]) -> None:
    """Writes UTF-8 with LF, a string or pieces of one, as `atomic_writing` does."""
    with (
        atomic_writing(path) as temporary,
        open(temporary, "w", encoding="utf-8", newline="\n") as file,
    ):
        file.writelines([text] if isinstance(text, str) else text)


def write_json(path: AnyPath, value: object, indent: int | None = 2) -> None:
    """Writes a JSON file as `atomic_writing` does; numbers that are not finite become null."""
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
    except ValueError:
        finite = json.loads(json.dumps(value), parse_constant=lambda name: None)
        text = json.dumps(finite, indent=indent, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def remove_folder(path: AnyPath) -> None:
    """Removes a folder and all that is in it; does nothing where there is none.

    Raises:
      WriteError: something in it cannot be removed.
    """
    with writing(path):
        if in_bucket(path):
            cast(Any, to_path(path)).rmtree()
        elif os.path.exists(path):
            shutil.rmtree(path)


def refuse_overwriting(output: AnyPath, inputs: Iterable[AnyPath]) -> None:
    """Raises DataError if the output is one of the inputs, by whatever name; before any work."""
    for path in inputs:
        if same_file(output, path):
            raise DataError(
                f"{shown(output)}: is an input, too, and would be lost; name another output"
            )


def same_file(one: AnyPath, other: AnyPath) -> bool:
    """Whether two paths lead to one file, which exists. Numbers of open files are paths, too."""
    if in_bucket(one) or in_bucket(other):
        there = os.fspath(one) == os.fspath(other)
        return there and to_path(one).exists()
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def upload_folder(local: Path, to: AnyPath, last: str = "") -> None:
    """Puts the files of a folder into a bucket.

    Args:
      local: a folder of this machine.
      to: where in the bucket.
      last: the name of the file that is uploaded after all others, so that a folder which has it is
        complete.

    Raises:
      WriteError: they cannot be written.
    """
    files = [path for path in sorted(local.rglob("*")) if path.is_file()]
    for path in sorted(files, key=lambda path: path.name == last):
        name = path.relative_to(local).as_posix()
        with writing(to):
            cast(Any, to_path(to) / name).upload(path)


@contextlib.contextmanager
def new_folder(path: AnyPath, last: str = "") -> Iterator[Path]:
    """Gives a local folder that becomes `path` when the block ends well.

    On a disk it appears complete or not at all. In a bucket its files appear one after the other,
    and `last` tells whether all are there.

    Args:
      path: a new or empty folder.
      last: as of `upload_folder`.

    Raises:
      WriteError: it cannot be written, or `path` is no new or empty folder.
    """
    if in_bucket(path):
        with writing_folder(path, last) as partial:
            yield partial
        return
    final = Path(path).absolute()
    partial = final.with_name(f".{final.name[:40]}.{os.getpid()}.tmp")
    with writing(path):
        try:
            partial.mkdir(parents=True)
            yield partial
            partial.replace(final)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def writing_folder(path: AnyPath, last: str = "") -> Iterator[Path]:
    """Gives a folder to write into; when the block ends well, its files are below `path`.

    For libraries that write files by themselves. On a disk it is the folder itself.

    Args:
      path: the folder; created.
      last: as of `upload_folder`.
    """
    if not in_bucket(path):
        local = Path(path)
        with writing(path):
            local.mkdir(parents=True, exist_ok=True)
        yield local
        return
    with tempfile.TemporaryDirectory(prefix="biobert-") as folder:
        yield Path(folder)
        upload_folder(Path(folder), path, last)
