"""The one check of a config: at launch, before data is read."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from biobert_jax.configuration.schema import Schema, Setting
from biobert_jax.configuration.settings import RULES, SETTINGS
from biobert_jax.errors import SettingError

SHOWN = 5  # problems in one message


def validate(config: Any, schema: Schema) -> None:
    """Checks every setting, and then what must hold between them.

    Args:
      config: a ConfigDict, of one task.
      schema: of that task.

    Raises:
      SettingError: names each setting that is unknown, missing or out of range, with its value and
        what was expected.
    """
    known = settings_of(schema)
    given = dict(flatten(config.to_dict()))
    problems = [_unknown(name, known, schema) for name in given if name not in known]
    for name, setting in known.items():
        if name not in given:
            if not setting.optional:
                problems.append(f"config.{name} is missing; expected {setting.expected}")
        elif not setting.fits(given[name]):
            problems.append(f"config.{name} is {given[name]!r}; expected {setting.expected}")
    problems += _search_space(config, known) if not problems else []
    if not problems:
        problems = [found for rule in (*RULES, *schema.rules) if (found := rule(config))]
    if problems:
        more = len(problems) - SHOWN
        raise SettingError(
            "; ".join(problems[:SHOWN]) + (f"; and {more} problems more" if more > 0 else "")
        )


def settings_of(schema: Schema) -> dict[str, Setting]:
    """All settings of a task, by dotted name."""
    common = {name: one for name, one in SETTINGS.items() if name not in schema.absent}
    return common | dict(schema.settings)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the dotted name and the value of each setting."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _unknown(name: str, known: Mapping[str, Setting], schema: Schema) -> str:
    if name in schema.absent:
        return f"config.{name} has no effect for this task; {schema.absent[name]}"
    near = difflib.get_close_matches(name, known, n=1)
    return f"config.{name} is no setting" + (f"; did you mean config.{near[0]}?" if near else "")


def _search_space(config: Any, known: Mapping[str, Setting]) -> list[str]:
    """What is wrong with the settings and values that a sweep would try."""
    problems = []
    for name, values in config.get("search_space", ()):
        if name not in known:
            problems.append(f"config.search_space: {_unknown(name, known, Schema({}))}")
            continue
        problems += [
            f"config.search_space: {name} is {value!r}; expected {known[name].expected}"
            for value in values
            if not known[name].fits(value)
        ]
    return problems
