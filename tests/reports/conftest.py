"""Workdirs of finished runs, written without training."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from biobert_jax.evaluation import ner, qa, relation
from biobert_jax.evaluation.questions import answered, write_questions

LABELS = ["false", "CPR:3", "CPR:4"]


def write_run(folder: Path, results: dict, config: dict | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "config.json").write_text(json.dumps(config or {}))
    return folder


def sentences(count: int = 120, seed: int = 0) -> list[SimpleNamespace]:
    """Sentences with about an entity each; the seed is the test set's."""
    random = np.random.default_rng(seed)
    out = []
    for number in range(count):
        tags = [str(t) for t in random.choice(["O", "O", "B-Disease"], 6)]
        out.append(SimpleNamespace(words=[f"w{number}_{i}" for i in range(6)], tags=tags))
    return out


def ner_run(
    folder: Path,
    seed: int,
    accuracy: float,
    init: str = "minilm",
    dataset: str = "ncbi_disease",
    test: list[SimpleNamespace] | None = None,
    **config,
) -> Path:
    """A run whose tags are right with probability `accuracy`; others are O."""
    test = test or sentences()
    random = np.random.default_rng([seed, int(1000 * accuracy)])
    predicted = [[t if random.random() < accuracy else "O" for t in s.tags] for s in test]
    ner.write_predictions(folder / "predictions" / "test.conll", test, predicted)
    scores = ner.score([s.tags for s in test], predicted)
    results = {"task": "ner", "dataset": dataset, "seed": seed, "step": 7, "test": scores}
    settings = {"init": init, "seed": seed, "dataset": {"name": dataset, "path": f"/x/{seed}"}}
    return write_run(folder, results, settings | config)


def relation_run(folder: Path, seed: int, accuracy: float, dataset: str = "chemprot") -> Path:
    random = np.random.default_rng(0)
    gold = [str(label) for label in random.choice(LABELS, 150)]
    random = np.random.default_rng([seed, int(1000 * accuracy)])
    predicted = [g if random.random() < accuracy else str(random.choice(LABELS)) for g in gold]
    relation.write_predictions(
        folder / "predictions" / "test.tsv",
        *([f"id{i}" for i in range(150)], gold, predicted, np.full((150, 3), 1 / 3), LABELS),
    )
    scores = relation.score(gold, predicted, LABELS, LABELS[1:])
    results = {"task": "relation", "dataset": dataset, "seed": seed, "test": scores}
    return write_run(folder, results, {"init": "minilm", "seed": seed})


def factoid_run(folder: Path, seed: int, accuracy: float) -> Path:
    gold = {
        f"4b{batch}": {f"q{batch}{i}": [[f"answer {i}"]] for i in range(10 + batch)}
        for batch in range(3)
    }
    random = np.random.default_rng([seed, int(1000 * accuracy)])
    answers = {
        id_: ["other", *synonyms[0]] if random.random() > accuracy else list(synonyms[0])
        for batch in gold.values()
        for id_, synonyms in batch.items()
    }
    write_questions(
        folder / "predictions" / "test_questions.jsonl", answered("factoid", gold, answers)
    )
    results = {"task": "qa", "dataset": "bioasq_4b", "seed": seed}
    return write_run(folder, results | {"test": qa.factoid_report(gold, answers)}, {"init": "m"})


def pretraining_run(folder: Path, seed: int, loss: float, **config) -> Path:
    scores = {"mlm_loss": loss, "perplexity": 2.0**loss, "mlm_accuracy": 30.0}
    results = {"task": "pretraining", "dataset": "", "seed": seed, "step": 40}
    return write_run(folder, results | {"validation": scores}, {"init": "minilm"} | config)


@pytest.fixture
def make():
    """The functions that write runs."""
    return SimpleNamespace(
        ner=ner_run,
        relation=relation_run,
        factoid=factoid_run,
        pretraining=pretraining_run,
        run=write_run,
        sentences=sentences,
    )
