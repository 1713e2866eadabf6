"""JSON as its standard has it; Python's parser alone lets more through than can be written."""

import json
import math
import re
from typing import Any

from biobert_jax.errors import DataError, at

_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_json(text: str, where: str, line: int | None = None) -> Any:
    """Parses JSON as its standard has it, and refuses what Python's parser lets through.

    Args:
      text: a whole file, or one line of JSON lines.
      where: what messages call the file.
      line: the number of the line, if it is one.

    Raises:
      DataError: not JSON, cut short or nested too deeply; NaN or an infinite number; a key twice in
        one object; half a surrogate pair (\\ud800), which no file can be written with.
    """
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        place = at(where, line or error.lineno)
        # A string that is never closed is reported where it begins, not at the end of the file.
        unclosed = error.msg.startswith("Unterminated string")
        is_cut = text.lstrip()[:1] in "{[" and not text.rstrip().endswith(("}", "]"))
        if unclosed or is_cut or not text[error.pos :].strip():
            place = at(where, line or text.count("\n") + 1)
            raise DataError(
                f"{place}: the JSON ends in the middle ({error.msg} at character {error.pos} of "
                f"{len(text)}); expected it whole. Copy or download the file again"
            ) from error
        raise DataError(
            f"{place}: not JSON ({error.msg} at column {error.colno}), near "
            f"{text[max(0, error.pos - 20) : error.pos + 20]!r}; expected "
            f"{'one whole object per line' if line else 'a JSON file'}. Correct it there"
        ) from error
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise DataError(f"{at(where, line)}: {reason}; expected plain JSON. Correct it") from error
    # Only an escape can decode to half a surrogate pair; all else is spared the search.
    if ("\\ud" in text or "\\uD" in text) and (found := _half_a_pair(value)):
        raise DataError(f"{at(where, line)}: {found}. Correct the record")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"found {name}, which is no number in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"found {text[:40]}, a number too large for a float")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"found the key {twice!r} twice in one object")
    return record


# Made once: json.loads would make one for every line.
_DECODER = json.JSONDecoder(
    parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique
)


def _half_a_pair(value: Any) -> str:
    """Where a parsed value holds half a surrogate pair, "" if it does not."""
    stack = [("", value)]
    while stack:
        place, value = stack.pop()
        if isinstance(value, dict):
            stack += [(f"{place}.{key}".lstrip("."), v) for key, v in reversed(value.items())]
            stack += [(f"{place}, a key".lstrip(", "), key) for key in value]
        elif isinstance(value, list):
            stack += [(f"{place}[{i}]", v) for i, v in reversed(list(enumerate(value)))]
        elif isinstance(value, str) and (found := _SURROGATE.search(value)):
            return (
                f"{ascii(place)[1:-1]}: half a surrogate pair (U+{ord(found[0]):04X}) at character "
                f"{found.start()}; expected Unicode text"
            )
    return ""
