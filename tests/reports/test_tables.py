"""What stands in the tables: every trial, means of one setting only, and what was trained on."""

import pytest
from rich.console import Console

from biobert_jax.launcher.train import summarise_trials
from biobert_jax.reports.tables import print_ner_scores, print_qa_scores, print_relation_scores

RATES = (5e-5, 1e-3)


def ner_scores(f1: float) -> dict:
    three = {"precision": f1, "recall": f1, "f1": f1}
    return {**three, "per_type": {"Disease": three}, "token_level": three}


def shown(print_scores, results) -> list[str]:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_scores(results, console)
    return console.export_text().splitlines()


def line(lines: list[str], *parts: str) -> str:
    [found] = [text for text in lines if all(part in text for part in parts)]
    return found


def trials(score) -> list[dict]:
    """Two seeds of two rates; the second seed of the higher rate learns nothing."""
    values = iter((80.0, 82.0, 70.0, 0.0))
    return [
        {"trial": f"seed-{seed}-rate-{rate:g}", "seed": seed, "learning_rate": rate,
         "test": score(next(values))}
        for rate in RATES
        for seed in (0, 1)
    ]  # fmt: skip


def test_a_mean_is_over_seeds_of_one_rate():
    results = summarise_trials(trials(ner_scores))
    assert "test" not in results
    low, high = results["settings"]
    assert (low["trials"], low["test"]["f1"], high["test"]["f1"]) == (2, 81.0, 35.0)
    assert low["spread"]["test"]["f1"] == pytest.approx(2**0.5)
    one_rate = summarise_trials(trials(ner_scores)[:2])
    assert one_rate["test"]["f1"] == 81.0
    assert one_rate["spread"]["f1"] == pytest.approx(2**0.5)


@pytest.mark.parametrize(
    ("print_scores", "score"),
    [
        (print_ner_scores, ner_scores),
        (print_qa_scores, lambda f1: {"exact_match": f1 / 2, "f1": f1, "questions": 9}),
        (print_relation_scores, lambda f1: ner_scores(f1) | {"specificity": 50.0}),
    ],
)
def test_every_trial_has_a_row(print_scores, score):
    lines = shown(print_scores, summarise_trials(trials(score)))
    assert "80.00" in line(lines, "seed-0-rate-5e-05")
    assert "0.00" in line(lines, "seed-1-rate-0.001")
    assert "81.00" in line(lines, "rate 5e-05, 2 trials: mean")
    assert "1.41" in line(lines, "rate 5e-05, 2 trials: standard deviation")
    assert "35.00" in line(lines, "rate 0.001, 2 trials: mean")


def test_a_validation_that_was_trained_on_is_marked():
    both = {"validation": ner_scores(99.0), "test": ner_scores(80.0)}
    lines = shown(print_ner_scores, both | {"trained_on": ["train", "devel"]})
    assert "99.00" in line(lines, "validation, seen in training", "entity")
    assert any("trained on train + devel" in text for text in lines)
    lines = shown(print_ner_scores, both | {"trained_on": ["train"]})
    assert not any("seen in training" in text for text in lines)
