"""What a setting may be, as data."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

COUNT_LIMIT = 2**31 - 1  # JAX counts steps and takes seeds in 32 bits

Rule = Callable[[Any], str | None]
"""What is wrong with a config as a whole, in one sentence, or None."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """The values that one setting may have.

    Attributes:
      fits: whether a value is one of them.
      expected: which those are, for "expected ..." in a message.
      optional: whether a config may lack it.
    """

    fits: Callable[[Any], bool]
    expected: str
    optional: bool = False


@dataclasses.dataclass(frozen=True)
class Schema:
    """The settings of a task beside those that all tasks have.

    Attributes:
      settings: by dotted name. They take the place of common ones of the same name.
      absent: common settings that the task does not have, each with what to use instead.
      rules: what must hold between settings.
    """

    settings: Mapping[str, Setting]
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)
    rules: Sequence[Rule] = ()


def whole(least: int = 0, most: int = COUNT_LIMIT, note: str = "") -> Setting:
    """A whole number."""
    upper = f" and at most {most}" if most != COUNT_LIMIT else ""
    return Setting(
        lambda value: _is_whole(value) and least <= value <= most,
        _noted(f"a whole number of at least {least}{upper}", note),
    )


def number(
    least: float | None = None,
    most: float | None = None,
    *,
    above: float | None = None,
    below: float | None = None,
    note: str = "",
) -> Setting:
    """A finite number within bounds; `above` and `below` are not included."""
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (
            ("at least", least), ("above", above), ("at most", most), ("below", below)
        )
        if bound is not None
    ]  # fmt: skip

    def fits(value: Any) -> bool:
        return (
            (_is_whole(value) or isinstance(value, float))
            and abs(value) < float("inf")  # false for NaN
            and (least is None or value >= least)
            and (most is None or value <= most)
            and (above is None or value > above)
            and (below is None or value < below)
        )

    return Setting(fits, _noted(" ".join(["a number", " and ".join(bounds)]).strip(), note))


def one_of(*choices: str, note: str = "") -> Setting:
    """One of several names."""
    return Setting(
        lambda value: isinstance(value, str) and value in choices,
        _noted(f"one of {', '.join(choices)}", note),
    )


def switch() -> Setting:
    """True or False."""
    return Setting(lambda value: isinstance(value, bool), "True or False")


def text(note: str = "", *, empty: bool = True) -> Setting:
    """Any text; a null byte is in no name of a file."""
    return Setting(
        lambda value: isinstance(value, str) and "\0" not in value and (empty or bool(value)),
        _noted("text" if empty else "text that is not empty", note),
    )


def several(of: Setting, note: str = "") -> Setting:
    """A tuple of values of one kind, perhaps empty."""
    return Setting(
        lambda value: isinstance(value, tuple | list) and all(of.fits(one) for one in value),
        _noted(f"a tuple, each of its values {of.expected}", note),
    )


def pair(first: Setting, second: Setting, expected: str) -> Setting:
    """A tuple of two values."""
    return Setting(
        lambda value: (
            isinstance(value, tuple | list)
            and len(value) == 2
            and first.fits(value[0])
            and second.fits(value[1])
        ),
        expected,
    )


def optional(setting: Setting) -> Setting:
    return dataclasses.replace(setting, optional=True)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _noted(expected: str, note: str) -> str:
    return f"{expected} ({note})" if note else expected
