import io
import logging
import sys

import pytest

from biobert_jax.inference import progress
from biobert_jax.inference.progress import with_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Every look at the clock finds it a second later."""
    seconds = iter(range(1000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(seconds)))


def test_one_line_on_a_terminal(monkeypatch, clock):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert list(with_progress("abc", "documents", "x")) == ["a", "b", "c"]
    shown = terminal.getvalue()
    assert "\n" not in shown
    assert "\r\x1b[K2 documents, 1.0 per second" in shown
    assert shown.endswith("\r\x1b[K")


def test_some_lines_in_a_log(clock, caplog):
    caplog.set_level(logging.INFO)
    list(with_progress(range(100), "documents", "x"))
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 100 // 30 + 1
    assert lines[-1] == "100 documents, 1.0 per second"


def test_no_line_where_the_items_go_to_the_terminal(monkeypatch, clock):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(sys, "stdout", Terminal())
    list(with_progress("abc", "documents", "x"))
    assert "\r" not in terminal.getvalue()


def test_a_failure_clears_the_line(monkeypatch, clock):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with pytest.raises(ZeroDivisionError):
        list(with_progress((1 / x for x in (1, 0)), "documents", "x"))
    assert terminal.getvalue().endswith("\r\x1b[K")
