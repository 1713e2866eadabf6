"""Scores as tables on a terminal."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

_MANY_LABELS = 20  # more are in results.json only


def print_ner_scores(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints precision, recall and F1 of each split that was scored, by entity type and by token.

    Args:
      results: what `NerTask.evaluate` returned, under `validation` and `test`.
      console: where to; standard output by default.
    """
    table = Table(title="Named entity recognition" + _trained_on(results))
    for name in ("split", "counted by"):
        table.add_column(name)
    for name in ("precision", "recall", "F1"):
        table.add_column(name, justify="right")
    if "trials" in results:
        for name, split, scores, style in rows_of_trials(results):
            table.add_row(name, split, *_percentages(scores), style=style)
        (console or Console()).print(table)
        return
    for split in ("validation", "test"):
        if split not in results:
            continue
        scores = results[split]
        name = split_name(split, results)
        table.add_row(name, "entity, exact match", *_percentages(scores), style="bold")
        if "words" in scores:
            table.add_row("", "word, macro over types", *_percentages(scores["words"]))
            for kind, of_kind in scores["words"]["per_type"].items():
                table.add_row("", f"  {kind}", *_percentages(of_kind))
        if len(scores["per_type"]) > 1:
            for kind, of_kind in scores["per_type"].items():
                table.add_row("", f"  {kind}", *_percentages(of_kind))
        token = scores["token_level"]
        table.add_row("", "token, macro over B and I", *_percentages(token), style="dim")
    (console or Console()).print(table)


def split_name(split: str, results: Mapping[str, Any]) -> str:
    """A split's name for a table, marked where its examples were trained on."""
    seen = split == "validation" and "devel" in results.get("trained_on", ())
    return f"{split}, seen in training" if seen else split


def _trained_on(results: Mapping[str, Any]) -> str:
    splits = results.get("trained_on")
    return f", trained on {' + '.join(splits)}" if splits else ""


def rows_of_trials(results: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping, str]]:
    """One row per trial, then mean and standard deviation per setting; never over settings.

    Args:
      results: with `trials` and `settings`, as `launcher.train.summarise_trials` returns them.

    Yields:
      What the row is about, the split, its scores, and a style: red for a trial that found nothing.
    """
    splits = [
        split
        for split in ("validation", "test")
        if all(split in trial for trial in results["trials"])
    ]
    for trial in results["trials"]:
        for split in splits:
            style = "red" if trial[split].get("f1") == 0 else ""
            yield trial["trial"], split_name(split, results), trial[split], style
    for setting in results["settings"]:
        about = f"rate {setting['learning_rate']:g}, {setting['trials']} trials"
        for split in splits:
            name = split_name(split, results)
            yield f"{about}: mean", name, setting[split], "bold"
            yield f"{about}: standard deviation", name, setting["spread"][split], ""


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
    runs = results.get("trials", [results])
    splits = [split for split in ("validation", "test") if all(split in one for one in runs)]
    scored = [one[split] for one in runs for split in splits]
    names = [name for name in _QA_MEASURES if any(name in scores for scores in scored)]
    table = Table(title="Question answering" + _trained_on(results))
    table.add_column("split")
    table.add_column("questions", justify="right")
    for name in names:
        table.add_column(_QA_MEASURES[name], justify="right")

    def add(title: str, questions: int | str, scores: Mapping[str, Any], style: str = "") -> None:
        table.add_row(
            title, str(questions), *[f"{scores[name]:.2f}" for name in names], style=style
        )

    for name, split, scores, style in rows_of_trials(results) if "trials" in results else ():
        add(f"{name}, {split}", scores.get("questions", ""), scores, style=style)
    for split in splits if "trials" not in results else ():
        scores = results[split]
        add(split, scores.get("questions", ""), scores, style="bold")
        batches = scores.get("batches", [])
        if len(batches) > 1:
            for batch in batches:
                add(f"  {batch['name']}", batch["questions"], batch)
            add("  by question", "", scores["by_question"], style="dim")
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
    runs = results.get("trials", [results])
    with_specificity = any("specificity" in one.get("test", ()) for one in runs)
    table = Table(title="Relation extraction" + _trained_on(results))
    table.add_column("split")
    table.add_column("counted over")
    for name in ("precision", "recall", "F1", *["specificity"] * with_specificity):
        table.add_column(name, justify="right")

    def row(first: str, second: str, scores: Mapping[str, float], style: str = "") -> None:
        last = [f"{scores['specificity']:.2f}"] if "specificity" in scores else []
        table.add_row(first, second, *_percentages(scores), *last, style=style)

    if "trials" in results:
        for name, split, scores, style in rows_of_trials(results):
            row(name, split, scores, style=style)
        splits = {}
    for one in results.get("folds", ()):
        row(f"fold {one['fold']}", "", one["test"])
    for split, scores in splits.items():
        name = f"{split}, mean of folds" if "spread" in results else split
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


def print_classification_scores(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints the scores of each split, and the F1 of each label where they are few.

    Args:
      results: what `ClassificationTask.evaluate` returned, under `validation` and `test`.
      console: where to; standard output by default.
    """
    names = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1"} | {
        "macro_f1": "macro F1",
        "exact_match": "all labels right",
    }
    out = console or Console()
    out.print(_scores_table("Classification", names, results))
    scores = results.get("test", {})
    if "most_frequent" in scores:
        most = scores["most_frequent"]
        out.print(f"test, always {most['label']}: accuracy {most['accuracy']:.2f}")
    of_labels = scores.get("per_class", {})
    if "trials" not in results and 1 < len(of_labels) <= _MANY_LABELS:
        table = Table("label", title="Labels of the test split")
        for name in ("precision", "recall", "F1"):
            table.add_column(name, justify="right")
        for label, of_label in of_labels.items():
            table.add_row(label, *_percentages(of_label))
        out.print(table)


def print_similarity_scores(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints the correlations of each split.

    Args:
      results: what `SimilarityTask.evaluate` returned, under `validation` and `test`.
      console: where to; standard output by default.
    """
    names = {"pearson": "Pearson", "spearman": "Spearman", "mean_absolute_error": "mean error"}
    (console or Console()).print(_scores_table("Similarity", names, results))


def print_pretraining_scores(results: Mapping[str, Any], console: Console | None = None) -> None:
    """Prints a language model's scores on held-out documents.

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


def _scores_table(title: str, names: Mapping[str, str], results: Mapping[str, Any]) -> Table:
    """A row per split, or per trial and split, with those of the measures that there are."""
    splits = [split for split in ("validation", "test") if split in results]
    rows = [("", split, results[split], "bold") for split in splits]
    if "trials" in results:
        rows = list(rows_of_trials(results))
    shown = [name for name in names if any(name in scores for _, _, scores, _ in rows)]
    table = Table("split", title=title + _trained_on(results))
    for name in shown:
        table.add_column(names[name], justify="right")
    for about, split, scores, style in rows:
        cells = [f"{scores[name]:.2f}" if name in scores else "" for name in shown]
        table.add_row(", ".join(filter(None, (about, split))), *cells, style=style)
    return table
