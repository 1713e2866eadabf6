"""Whatever ends a program ends it with one line and an exit code."""

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from biobert_jax import errors
from biobert_jax.errors import DataError, printable, report_errors

REPOSITORY = Path(__file__).resolve().parent.parent


def ends(error, capsys) -> tuple[int, str]:
    """The exit code and the one line that an exception becomes."""
    with pytest.raises(SystemExit) as ended, report_errors():
        raise error
    assert ended.value.__context__ is error
    (line,) = capsys.readouterr().err.splitlines()
    return ended.value.code, line


class JaxRuntimeError(RuntimeError):
    """As JAX calls what XLA raises."""


@pytest.mark.parametrize(
    ("error", "code", "parts"),
    [
        (DataError("a.txt:3: no tag"), 1, ["error: a.txt:3: no tag"]),
        (DataError("a.txt:3: one\n  two"), 1, ["error: a.txt:3: one two"]),
        (OSError(errno.ENOSPC, "No space left on device"), 1, ["No space left", "Free some"]),
        (FileNotFoundError(errno.ENOENT, "No such file", "x/y.txt"), 1, ["x/y.txt: No such file"]),
        (PermissionError(errno.EACCES, "Permission denied", b"y"), 1, ["y: Permission denied"]),
        (OSError(errno.EXDEV, "Cross-device", "a", None, "b"), 1, ["a -> b: Cross-device"]),
        (OSError("no number"), 1, ["no number"]),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, ["Broken pipe"]),  # not standard output's
        (KeyboardInterrupt(), 130, ["interrupted"]),
        (MemoryError(), 1, ["out of memory"]),
        (RecursionError("maximum recursion depth"), 1, ["nested too deeply", "test_errors.py"]),
        (JaxRuntimeError("RESOURCE_EXHAUSTED: 9 GB\nmore"), 1, ["out of device memory", "9 GB"]),
        (JaxRuntimeError("INTERNAL: x"), 70, ["this is a bug", "INTERNAL: x"]),
        (ValueError("a\nb" + "c" * 9000), 70, ["this is a bug: ValueError: a b", "test_errors.py"]),
        (KeyError("k"), 70, ["KeyError: 'k'", errors.DEBUG]),
        (DataError("\x1b[2Jx\udcffy"), 1, [r"error: \x1b[2Jx\udcffy"]),
    ],
)
def test_one_line_and_a_code(error, code, parts, capsys):
    found, line = ends(error, capsys)
    assert found == code
    assert line.startswith("error: ")
    assert len(line) < 1000
    for part in parts:
        assert part in line


def test_a_bug_is_placed_in_our_own_code(capsys):
    with pytest.raises(SystemExit), report_errors():
        errors.at(None)
    assert "at errors.py:" in capsys.readouterr().err


def test_the_traceback_on_demand(capsys, monkeypatch):
    monkeypatch.setenv(errors.DEBUG, "1")
    with pytest.raises(SystemExit), report_errors():
        raise DataError("\x1b]0;title")
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith("Traceback")
    assert last == r"error: \x1b]0;title"


def test_exits_and_success_pass():
    with report_errors():
        pass
    with pytest.raises(SystemExit) as ended, report_errors():
        sys.exit(5)
    assert ended.value.code == 5


def test_printable():
    assert printable("tab\t, line\n, \u03b2, \u05d0, \U0001f600") == (
        "tab\t, line\n, \u03b2, \u05d0, \U0001f600"
    )
    assert printable("\x00\r\x1b\x7f\x9b\u202e") == r"\x00\r\x1b\x7f\x9b\u202e"


def test_log_lines_are_printable():
    record = logging.LogRecord("x", 20, "", 0, "%s: read", ("\x1b[31m",), None)
    assert errors.PrintableFormatter("%(message)s").format(record) == r"\x1b[31m: read"


def process(body: str, **given) -> subprocess.Popen:
    program = f"from biobert_jax.errors import report_errors\nwith report_errors():\n    {body}"
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        **given,
    )


@pytest.mark.parametrize("count", [1, 100_000])  # less and more than a buffer holds
def test_a_reader_that_goes_away_is_no_failure(count):
    reading, writing = os.pipe()
    os.close(reading)
    with process(f"for i in range({count}): print(i)", stdout=writing) as ran:
        os.close(writing)
        assert (ran.stderr.read(), ran.wait()) == (b"", errors.NO_READER)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is full")
def test_standard_output_on_a_full_disk():
    with open("/dev/full", "wb") as full, process("print('x')", stdout=full) as ran:
        message = ran.stderr.read().decode()
        assert ran.wait() == 1
    assert message.count("\n") == 1
    assert "No space left on device" in message
