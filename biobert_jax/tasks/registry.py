"""The tasks, by `config.task`: what prepares, prints and uses each of them.

They are named "module:name" and imported when they are used, so that a command answers
--help at once, and so that no task has to know of checkpoints, tables or inference.

A new task is a reader in datasets/, a task in tasks/ with its `prepare`, its
settings in configuration/, and an entry here.
"""

import dataclasses
import difflib
import importlib
from typing import Any

from biobert_jax.errors import TrainingError


@dataclasses.dataclass(frozen=True)
class Entry:
    """A task.

    Attributes:
      command: the name of its entry point (python -m experiments.NAME) and of its configs' folder.
      summary: one line for help texts.
      schema: its settings; see `configuration.schema.Schema`.
      prepare: (config, start_from) -> Prepared; see `tasks.preparation`.
      print_scores: prints what results.json says.
      card: the class of the task's cards; see `tasks.cards`.
      score: (Trained, path, split, renamed types) -> a task whose `test` is read from the path, for
        `biobert evaluate`; see `tasks.scoring`.
      use: makes a checkpoint of the task ready for inference; empty: only its encoder is of use.
      folds: config -> the numbers of the folds to run; empty: the task's data sets have none.
      compile_only: (config, topology, slices, output) -> None, for --compile_only; empty: has no
        such mode.
    """

    command: str
    summary: str
    schema: str
    prepare: str
    print_scores: str
    card: str = "biobert_jax.tasks.cards:Card"
    score: str = ""
    use: str = ""
    folds: str = ""
    compile_only: str = ""


TASKS = {
    "ner": Entry(
        "ner",
        "named entity recognition",
        schema="biobert_jax.configuration.ner:SCHEMA",
        prepare="biobert_jax.tasks.ner:prepare",
        print_scores="biobert_jax.reports.tables:print_ner_scores",
        card="biobert_jax.tasks.ner:NerCard",
        score="biobert_jax.tasks.scoring:score_ner",
        use="biobert_jax.inference.annotate:make_annotator",
    ),
    "relation": Entry(
        "relation",
        "relation extraction",
        schema="biobert_jax.configuration.relation:SCHEMA",
        prepare="biobert_jax.tasks.relation:prepare",
        print_scores="biobert_jax.reports.tables:print_relation_scores",
        card="biobert_jax.tasks.relation:RelationCard",
        score="biobert_jax.tasks.scoring:score_relation",
        use="biobert_jax.inference.relations:make_classifier",
        folds="biobert_jax.tasks.relation:folds",
    ),
    "qa": Entry(
        "qa",
        "question answering",
        schema="biobert_jax.configuration.qa:SCHEMA",
        prepare="biobert_jax.tasks.qa.prepare:prepare",
        print_scores="biobert_jax.reports.tables:print_qa_scores",
        card="biobert_jax.tasks.qa.card:QaCard",
        score="biobert_jax.tasks.scoring:score_qa",
        use="biobert_jax.inference.answer:make_answerer",
    ),
    "classification": Entry(
        "classification",
        "classification of texts and of pairs of texts",
        schema="biobert_jax.configuration.classification:SCHEMA",
        prepare="biobert_jax.tasks.classification:prepare",
        print_scores="biobert_jax.reports.tables:print_classification_scores",
        card="biobert_jax.tasks.classification:ClassificationCard",
        score="biobert_jax.tasks.scoring_texts:score_classification",
        use="biobert_jax.inference.classify:make_text_classifier",
    ),
    "similarity": Entry(
        "similarity",
        "similarity of two texts",
        schema="biobert_jax.configuration.similarity:SCHEMA",
        prepare="biobert_jax.tasks.similarity:prepare",
        print_scores="biobert_jax.reports.tables:print_similarity_scores",
        card="biobert_jax.tasks.similarity:SimilarityCard",
        score="biobert_jax.tasks.scoring_texts:score_similarity",
        use="biobert_jax.inference.similarity:make_comparer",
    ),
    "pretraining": Entry(
        "pretrain",
        "pre-training",
        schema="biobert_jax.configuration.pretraining:SCHEMA",
        prepare="biobert_jax.tasks.pretraining.prepare:prepare",
        print_scores="biobert_jax.reports.tables:print_pretraining_scores",
        card="biobert_jax.tasks.pretraining.task:PretrainingCard",
        compile_only="biobert_jax.launcher.compile_only:run",
    ),
}


def find(task: str) -> Entry:
    """The entry of a `config.task`.

    Raises:
      TrainingError: there is none.
    """
    if task in TASKS:
        return TASKS[task]
    near = difflib.get_close_matches(str(task), TASKS, n=1)
    raise TrainingError(
        f"config.task is {task!r}; expected one of {', '.join(TASKS)}"
        + (f". Did you mean {near[0]!r}?" if near else "")
    )


def resolve(name: str) -> Any:
    """Imports what an entry names, "module:name"."""
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)
