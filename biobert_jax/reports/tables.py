"""Scores as tables on a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def print_ner_scores(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints precision, recall and F1 of each split that was scored, by entity type and by token.

    Args:
      results: what `NerTask.evaluate` returned, under `validation` and `test`.
      console: where to; standard output by default.
    """
    table = Table(title="Named entity recognition")
    for name in ("split", "counted by"):
        table.add_column(name)
    for name in ("precision", "recall", "F1"):
        table.add_column(name, justify="right")
    for split in ("validation", "test"):
        if split not in results:
            continue
        scores = results[split]
        table.add_row(split, "entity, exact match", *_percentages(scores), style="bold")
        if len(scores["per_type"]) > 1:
            for kind, of_kind in scores["per_type"].items():
                table.add_row("", f"  {kind}", *_percentages(of_kind))
        token = scores["token_level"]
        table.add_row("", "token, macro over B and I", *_percentages(token), style="dim")
    (console or Console()).print(table)


def _percentages(scores: Mapping[str, float]) -> list[str]:
    return [f"{scores[name]:.2f}" for name in ("precision", "recall", "f1")]
