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
    if "trials" in results:
        several = f"standard deviation of {len(results['trials'])} trials"
        table.add_row("", several, *_percentages(results["spread"]))
    (console or Console()).print(table)


_QA_MEASURES = {
    "exact_match": "exact match",
    "strict_accuracy": "strict accuracy",
    "lenient_accuracy": "lenient accuracy",
    "mrr": "MRR",
    "precision": "mean precision",
    "recall": "mean recall",
    "accuracy": "accuracy",
    "f1": "F1",
    "macro_f1": "macro F1",
}


def print_qa_scores(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints the measures of SQuAD or of a kind of BioASQ questions, whichever there are.

    Args:
      results: what `QaTask.evaluate` or `YesNoTask.evaluate` returned, under `validation` and
        `test`.
      console: where to; standard output by default.
    """
    splits = [split for split in ("validation", "test") if split in results]
    names = [name for name in _QA_MEASURES if any(name in results[split] for split in splits)]
    table = Table(title="Question answering")
    table.add_column("split")
    table.add_column("questions", justify="right")
    for name in names:
        table.add_column(_QA_MEASURES[name], justify="right")

    def add(title: str, questions: int | str, scores: Mapping[str, Any], **style: str) -> None:
        table.add_row(title, str(questions), *[f"{scores[name]:.2f}" for name in names], **style)

    for split in splits:
        scores = results[split]
        add(split, scores.get("questions", ""), scores, style="bold")
        batches = scores.get("batches", [])
        if len(batches) > 1:
            for batch in batches:
                add(f"  {batch['name']}", batch["questions"], batch)
            add("  by question", "", scores["by_question"], style="dim")
    if "trials" in results:
        several = f"standard deviation of {len(results['trials'])} trials"
        add(several, "", results["spread"])
    (console or Console()).print(table)


def _percentages(scores: Mapping[str, float]) -> list[str]:
    return [f"{scores[name]:.2f}" for name in ("precision", "recall", "f1")]


def print_relation_scores(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints the scores of each split, by class; of folds each one, their mean and their spread.

    Args:
      results: what `RelationTask.evaluate` returned, under `validation` and `test`; of folds or
        trials, what they say together.
      console: where to; standard output by default.
    """
    splits = {split: results[split] for split in ("validation", "test") if split in results}
    with_specificity = any("specificity" in scores for scores in splits.values())
    table = Table(title="Relation extraction")
    table.add_column("split")
    table.add_column("counted over")
    for name in ("precision", "recall", "F1", *["specificity"] * with_specificity):
        table.add_column(name, justify="right")

    def row(first: str, second: str, scores: Mapping[str, float], **style: str) -> None:
        last = [f"{scores['specificity']:.2f}"] if "specificity" in scores else []
        table.add_row(first, second, *_percentages(scores), *last, **style)

    several = "folds" if "folds" in results else "trials"
    for one in results.get(several, ()):
        row(f"fold {one['fold']}" if several == "folds" else one["trial"], "", one["test"])
    for split, scores in splits.items():
        name = f"{split}, mean of {several}" if "spread" in results else split
        row(name, "the scored classes", scores, style="bold")
        if "spread" in results:
            row("", "standard deviation", results["spread"])
        if "all_gold" in scores:
            row("", "and gold beyond the pairs", scores["all_gold"])
        if len(scores["per_class"]) > 2:
            row("", "mean of classes", scores["macro"], style="dim")
            for label, of_class in scores["per_class"].items():
                row("", f"  {label}", of_class)
    (console or Console()).print(table)


def print_pretraining_scores(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints what a language model makes of held-out documents.

    Args:
      results: what `PretrainingTask.evaluate` returned, under `validation`.
      console: where to; standard output by default.
    """
    scores = results["validation"]
    table = Table(title=f"Pre-training, held-out documents, step {results['step']}")
    table.add_column("measure")
    table.add_column("", justify="right")
    table.add_row("masked pieces: loss (nats)", f"{scores['mlm_loss']:.4f}")
    table.add_row("masked pieces: perplexity", f"{scores['perplexity']:.2f}")
    table.add_row("masked pieces: accuracy", f"{scores['mlm_accuracy']:.2f}")
    if "nsp_accuracy" in scores:
        table.add_row("next sentence: accuracy", f"{scores['nsp_accuracy']:.2f}")
    (console or Console()).print(table)
