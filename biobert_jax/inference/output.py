"""Where results go: checked before any work, written whole or not at all."""

import contextlib
import io
import itertools
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar, cast

from biobert_jax.errors import DataError, WriteError, printable
from biobert_jax.files import atomic_writing, in_bucket, refuse_overwriting, shown, to_path
from biobert_jax.inference.texts import STANDARD_INPUT

if TYPE_CHECKING:
    from rich.text import Text as RichText

T = TypeVar("T")


def check_output(
    output: str | None, inputs: Iterable[str], model: str, folder: bool = False
) -> None:
    """Refuses an output before any work is done for it.

    Args:
      output: a path; None for standard output.
      inputs: what is read; `-` is standard input.
      model: what the command's --model names; its files are not to be overwritten either.
      folder: the output is a new folder, not a file.

    Raises:
      DataError: it is an input or a file of the model.
      WriteError: it can be no file (no folder) of that name.
    """
    if output is None:
        return
    path, model_path = to_path(output), to_path(model).expanduser()
    # The number of an open file is as good as a path to `os.path.samefile`.
    files = [file for file in map(_regular_file, inputs) if file is not None]
    refuse_overwriting(output, cast(list[str], files))
    if (
        model_path.is_dir()
        and path.is_file()
        and path.resolve().is_relative_to(model_path.resolve())
    ):
        refuse_overwriting(output, [output])
    elif not model_path.exists() and model_path.parent.is_dir():  # the prefix of a checkpoint
        of_model = (
            one for one in model_path.parent.iterdir() if one.name.startswith(model_path.name + ".")
        )
        refuse_overwriting(output, of_model)
    if folder and path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise WriteError(f"{shown(path)}: exists and is not an empty folder; name a new one")
    if not folder and path.is_dir():
        raise WriteError(f"{shown(path)}: is a folder; expected the name of a file in it")
    if in_bucket(path):
        return  # what may be written is known when it is written
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir():
        raise WriteError(f"{shown(path)}: {shown(above)} is a file; expected a folder to write to")
    if not os.access(above, os.W_OK) and not path.exists():
        raise WriteError(f"{shown(path)}: {shown(above)} cannot be written to; name another place")


def _regular_file(path: str) -> str | int | None:
    if in_bucket(path):
        return path
    file = sys.stdin.fileno() if path == STANDARD_INPUT and _is_file(sys.stdin) else path
    with contextlib.suppress(OSError):
        return file if stat.S_ISREG(os.stat(file).st_mode) else None
    return None


def _is_file(stream: TextIO) -> bool:
    with contextlib.suppress(OSError, AttributeError):
        return stream.fileno() >= 0
    return False


def _standard_output_as_utf8() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")


@contextlib.contextmanager
def writing_text(path: str | None) -> Iterator[TextIO]:
    """Gives a text file for the output, standard output by default.

    What goes to a terminal is escaped as `errors.printable` does.
    """
    if path is None:
        _standard_output_as_utf8()
        terminal = sys.stdout.isatty()
        yield cast(TextIO, _Printable(sys.stdout)) if terminal else sys.stdout
        sys.stdout.flush()
        return
    with (
        atomic_writing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as file,
    ):
        yield file


def print_coloured(texts: Iterable["RichText"], path: str | None) -> None:
    """Writes coloured text; without colours where it goes to a file."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:
            raise  # as everywhere else; Console would end the program itself

    if path is None:
        _standard_output_as_utf8()
        console = Output(file=sys.stdout, highlight=False)
        for text in texts:
            console.print(text)
        sys.stdout.flush()
        return
    with writing_text(path) as file:
        console = Output(file=file, highlight=False)
        for text in texts:
            console.print(text, soft_wrap=True)


def write_exactly(path: Path, text: str) -> None:
    """Writes a UTF-8 file with line ends as they are, whole or not at all."""
    with atomic_writing(path) as temporary:
        temporary.write_bytes(text.encode())


def only_one(texts: Iterator[T], where: str) -> list[T]:
    """The one text of a file, or none.

    Raises:
      DataError: there are more.
    """
    some = list(itertools.islice(texts, 2))
    if len(some) > 1:
        raise DataError(
            f"{where}: more than one document, and brat has a file of annotations for each text; "
            "expected --output with a new folder (a name without .ann)"
        )
    return some


def text_beside(output: str | None, texts: Sequence[Any]) -> Path | None:
    """The path of the text that brat expects beside its annotations; None if it exists.

    Raises:
      WriteError: the path holds another text.
    """
    if output is None or not texts:
        return None
    path = to_path(output).with_suffix(".txt")
    if not path.exists():
        return path
    if not path.is_file() or path.read_bytes() != texts[0].text.encode():
        raise WriteError(
            f"{shown(path)}: holds another text than the one to be annotated, and brat would show "
            "the annotations on it; choose another name for --output"
        )
    return None


class _Printable:
    """A terminal that gets no control characters."""

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str) -> int:
        return self._stream.write(printable(text))

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)
