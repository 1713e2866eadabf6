"""Expected failures, told to the user as one message instead of a traceback."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator


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


class TrainingError(UserError):
    """Training cannot go on; what was saved before remains."""


def at(path: str | os.PathLike[str], line: int | None = None) -> str:
    """Returns the `file:line` prefix that error messages begin with."""
    return f"{os.fspath(path)}:{line}" if line is not None else os.fspath(path)


@contextlib.contextmanager
def told_to_user() -> Iterator[None]:
    """Ends the program with exit code 1 and one message when a UserError leaves the block."""
    try:
        yield
    except UserError as error:
        logging.getLogger("biobert_jax").debug("traceback of the failure", exc_info=True)
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
