"""Expected failures, and how a program reports what ends it: one line instead of a traceback."""

import contextlib
import errno
import logging
import os
import re
import select
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path


class UserError(Exception):
    """Something that the user can mend.

    The message says where (file, line or record), what was found, what was expected, what to do.
    """


class DataError(UserError):
    """A file of examples does not hold what its format promises."""


class WriteError(UserError):
    """A file could not be written: a full disk, a quota, a missing permission."""


class CheckpointError(UserError):
    """Weights, configuration or vocabulary do not fit each other."""


class SettingError(UserError):
    """A setting of a config has no such value, or does not go with another one."""


class TrainingError(UserError):
    """Training cannot continue; what was saved before remains."""


def at(path: str | os.PathLike[str], line: int | None = None) -> str:
    """Returns the `file:line` prefix that error messages begin with."""
    where = stands_for(os.fspath(path))
    return f"{where}:{line}" if line is not None else where


_STANDS_FOR: dict[str, str] = {}


def let_stand_for(folder: str, address: str) -> None:
    """Makes messages name an address where they would name this folder, or what is in it.

    Both end in a slash.
    """
    _STANDS_FOR[folder] = address


def stands_for(path: str) -> str:
    """What a path is a copy of, for messages; usually itself."""
    for folder, address in _STANDS_FOR.items():
        if f"{path}/".startswith(folder):
            return (address + path[len(folder) :]).rstrip("/")
    return path


FAILED, BUG = 1, 70
"""Exit codes of an expected failure and, as sysexits.h has it, of a fault of the program."""
INTERRUPTED, NO_READER = 130, 141
"""Exit codes as a shell reports SIGINT and SIGPIPE: 128 and the number of the signal."""

DEBUG = "BIOBERT_DEBUG"
"""The environment variable that adds tracebacks to error messages."""

_WHAT_TO_DO = {
    errno.ENOSPC: "Free some space, or write to another disk",
    errno.EDQUOT: "Free some of your quota, or write to another disk",
    errno.EACCES: "Check the permissions, or name another place",
    errno.EPERM: "Check the permissions, or name another place",
    errno.EROFS: "Name a place that can be written to",
    errno.ENOENT: "Check the path",
    errno.EISDIR: "Name a file, not a folder",
    errno.ENOTDIR: "Name a folder, not a file",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.EMFILE: "Raise the limit of open files (ulimit -n)",
}
# Control characters but tab and line feed; half surrogate pairs, as in file names of other
# encodings; and what changes the direction of a whole line.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """Escapes what would steer a terminal (ESC and other controls) or could not be encoded."""
    return _UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text)


class PrintableFormatter(logging.Formatter):
    """Formats log lines that may name files and quote texts from anywhere."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


@contextlib.contextmanager
def report_errors() -> Iterator[None]:
    """Ends the program with one message and its exit code when an exception leaves the block.

    Wrap a whole program: this is the one place where failures become messages. See `report` for
    the messages and codes. Raises SystemExit, with the exception as its context.
    """
    try:
        yield
        if sys.stdout is not None:
            sys.stdout.flush()  # or what is wrong with it would come up after this block
    except (Exception, KeyboardInterrupt) as error:
        sys.exit(report(error))


def report(error: BaseException) -> int:
    """Prints one line on standard error about what ends the program, and returns its exit code.

    A reader of standard output that went away (`| head`) is not a failure: nothing is reported.
    With BIOBERT_DEBUG=1 (or --debug) in the environment, the traceback comes first.
    """
    status, message = FAILED, None
    match error:
        case BrokenPipeError() if _is_without_reader():
            _flush()
            return NO_READER
        case UserError():
            message = str(error)
        case KeyboardInterrupt():
            status, message = INTERRUPTED, "interrupted"
        case OSError():
            _flush()
            message = _of_os_error(error)
        case MemoryError():
            message = "out of memory. Give less at a time, or use a machine with more"
        case RecursionError():
            message = f"something is nested too deeply ({_place(error)}). Check what is read"
        case _ if _out_of_device_memory(error):
            message = (
                f"out of device memory ({str(error).partition(chr(10))[0]}). "
                "Use smaller batches or a smaller model"
            )
        case _:
            status = BUG
            message = (
                f"this is a bug: {type(error).__name__}: {str(error)[:500]} (at {_place(error)}). "
                f"Please report it with the traceback, which {DEBUG}=1 in the environment shows"
            )
    with contextlib.suppress(OSError):  # nobody reads standard error either
        if os.environ.get(DEBUG, "0") not in ("", "0"):
            print(printable("".join(traceback.format_exception(error))), file=sys.stderr, end="")
        line = re.sub(r"\s*\n\s*", " ", message.strip())
        print(f"error: {printable(line)}", file=sys.stderr, flush=True)
    return status


def _of_os_error(error: OSError) -> str:
    files = [
        os.fsdecode(f) for f in (error.filename, error.filename2) if isinstance(f, str | bytes)
    ]
    where = " -> ".join(files) or "reading or writing"
    advice = _WHAT_TO_DO.get(error.errno or 0)
    return f"{where}: {error.strerror or error}{f'. {advice}' if advice else ''}"


def _out_of_device_memory(error: BaseException) -> bool:
    # By name, since this module imports no jax.
    return type(error).__name__ == "JaxRuntimeError" and "RESOURCE_EXHAUSTED" in str(error)


def _place(error: BaseException) -> str:
    """The innermost line of this project in a traceback, or the innermost one of all."""
    frames = traceback.extract_tb(error.__traceback__)
    frames = [frame for frame in frames if frame.name != report_errors.__name__]
    if not frames:
        return "an unknown place"
    root = str(Path(__file__).resolve().parent)
    frame = next((f for f in reversed(frames) if f.filename.startswith(root)), frames[-1])
    return f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}"


def _is_without_reader() -> bool:
    """Whether standard output is a pipe that nobody reads any more."""
    try:
        poll = select.poll()
        poll.register(sys.stdout, 0)
    except (OSError, ValueError, AttributeError):  # no file, as in some tests; no poll on Windows
        return False
    return any(event & select.POLLERR for _, event in poll.poll(0))


def _flush() -> None:
    """Flushes standard output; where that fails, makes sure that nobody tries again at exit."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
