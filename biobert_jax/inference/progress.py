"""How far a command has come, on standard error."""

import datetime
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

logger = logging.getLogger(__name__)

ON_A_TERMINAL = 0.2  # seconds between two looks of the one line there
IN_A_LOG = 30.0  # seconds between two lines anywhere else
BRIEF = 5.0  # seconds; what takes less needs no summary on a screen

T = TypeVar("T")


def with_progress(
    items: Iterable[T],
    noun: str,
    source: str,
    size: Callable[[T], int] = lambda item: 1,
    total: int | None = None,
) -> Iterator[T]:
    """Passes items on and says how many there were, and how many per second.

    On a terminal one line is rewritten, unless the items themselves go to it; elsewhere a line is
    logged every `IN_A_LOG` seconds. At the end there is a summary, or a warning if nothing came.

    Args:
      items: results, as they are ready.
      noun: what they are, in the plural.
      source: where they come from, for the warning.
      size: how many an item stands for.
      total: how many there will be, where that is known: then the time left is said, too.
    """
    stream = sys.stderr
    live = stream.isatty() and not sys.stdout.isatty()
    began = last = time.monotonic()
    count = 0
    try:
        for item in items:
            yield item
            count += size(item)
            now = time.monotonic()
            if now - last < (ON_A_TERMINAL if live else IN_A_LOG):
                continue
            last = now
            if live:
                stream.write(f"\r\x1b[K{_line(count, noun, now - began, total)}")
                stream.flush()
            else:
                logger.info("%s", _line(count, noun, now - began, total))
    finally:
        if live:
            stream.write("\r\x1b[K")
            stream.flush()
    elapsed = time.monotonic() - began
    if not count:
        logger.warning("%s: nothing to read in it; the output has no %s", source, noun)
    elif elapsed > BRIEF or not sys.stdout.isatty():
        logger.info("%s", _line(count, noun, elapsed))


def _line(count: int, noun: str, seconds: float, total: int | None = None) -> str:
    rate = count / max(seconds, 1e-3)
    line = f"{count:,} {noun}, {rate:,.1f} per second"
    if not total or not rate:
        return line
    left = datetime.timedelta(seconds=round((total - count) / rate))
    return f"{line}, {100 * count / total:.0f}% of {total:,}, {left} left"
