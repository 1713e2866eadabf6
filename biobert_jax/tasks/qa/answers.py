"""From start and end logits to answers: n-best of a passage, passages of a question merged."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from biobert_jax.configuration.card_defaults import QA_DECODING
from biobert_jax.tasks.qa.windows import Windows, speakers

MAX_CHARACTERS = 100  # of an answer to a BioASQ question, as transform_nbset2bioasqform.py has it


@dataclasses.dataclass(frozen=True)
class Decoding:
    """How answers are read off.

    Attributes:
      n_best: starts and ends of a window that are paired, and answers of a passage that are kept.
      max_answer: pieces of an answer.
      top: answers to a factoid question.
      threshold: the least share of a question's probability that an answer to a list question has;
        where there are validation questions, the one that serves them best takes its place.
    """

    n_best: int = QA_DECODING["n_best"]
    max_answer: int = QA_DECODING["max_answer"]
    top: int = QA_DECODING["top"]
    threshold: float = QA_DECODING["threshold"]


class Candidate(NamedTuple):
    """A possible answer: `passage[start:end] == text`."""

    text: str
    start: int
    end: int
    probability: float  # among the passage's candidates
    logit: float  # of its start and its end together


def n_best(
    passages: Sequence[str],
    windows: Windows,
    predictions: Sequence[Mapping[str, np.ndarray]],
    decoding: Decoding,
) -> list[list[Candidate]]:
    """The best answers of each passage, best first, no text twice; empty where there is none.

    As run_qa.py: the best starts and ends of each window are paired; a pair counts if both are in
    the passage, in order and not too far apart, and the window is the start's best; logits are
    compared across windows as they are, and probabilities are a softmax over what is kept.

    Args:
      passages: for each question of `windows` its passage.
      windows: what `featurize` made of them.
      predictions: for each window [k] starts, start_logits, ends, end_logits; positions within the
        window, -1 for none.
      decoding: limits.
    """
    found: list[list[Candidate]] = []
    bounds = np.searchsorted(windows.question, np.arange(len(passages) + 1))
    for q, passage in enumerate(passages):
        of_question = range(bounds[q], bounds[q + 1])
        offsets = windows.offsets[q]
        ranges = [(windows.first[e], windows.first[e] + windows.count[e]) for e in of_question]
        speaker = speakers(ranges, len(offsets))
        spans = [
            _spans(windows, e, predictions[e], speaker == w, decoding)
            for w, e in enumerate(of_question)
        ]
        found.append(_ranked(np.concatenate(spans), offsets, passage, decoding.n_best))
    return found


class Merged(NamedTuple):
    """A possible answer from all passages of a question: `passages[passage][start:end] == text`."""

    text: str
    probability: float  # the sum over the passages that have it
    passage: int  # where it is most probable
    start: int
    end: int


def merge(
    passages: Sequence[Sequence[Candidate]], max_characters: float = MAX_CHARACTERS
) -> list[Merged]:
    """Adds up the candidates of all passages of a question, as transform_nbset2bioasqform.py does.

    Probabilities are summed over texts that differ in case only, and the form with the highest
    single probability is kept.

    Args:
      passages: for each passage its candidates.
      max_characters: longer texts are dropped, and empty ones.

    Returns:
      Answers, best first.
    """
    candidates = [(p, candidate) for p, passage in enumerate(passages) for candidate in passage]
    candidates.sort(key=lambda pair: -pair[1].probability)
    kept: dict[str, Merged] = {}
    for p, (text, start, end, probability, _) in candidates:
        if not 0 < len(text) <= max_characters:
            continue
        before = kept.get(text.lower(), Merged(text, 0.0, p, start, end))
        kept[text.lower()] = before._replace(probability=before.probability + probability)
    return sorted(kept.values(), key=lambda answer: -answer.probability)


def above(merged: Sequence[Merged], threshold: float) -> list[Merged]:
    """The answers to a list question: those with a large enough share of all probability."""
    least = threshold * sum(answer.probability for answer in merged)
    return [answer for answer in merged if answer.probability >= least]


def _spans(
    windows: Windows,
    e: int,
    prediction: Mapping[str, np.ndarray],
    may_begin: np.ndarray,
    decoding: Decoding,
) -> np.ndarray:
    """[n, 3] first piece, last piece and logit of a window's admissible spans."""
    shift = windows.first[e] - windows.passage_start[e]
    limits = windows.first[e], windows.first[e] + windows.count[e]
    starts, start_logits = _in_passage(prediction, "start", shift, limits)
    ends, end_logits = _in_passage(prediction, "end", shift, limits)
    mine = may_begin[starts]
    starts, start_logits = starts[mine], start_logits[mine]
    length = ends[None] - starts[:, None] + 1
    i, j = np.nonzero((length > 0) & (length <= decoding.max_answer))
    return np.stack([starts[i], ends[j], start_logits[i] + end_logits[j]], axis=1)


def _in_passage(
    prediction: Mapping[str, np.ndarray], name: str, shift: int, limits: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    positions = prediction[f"{name}s"]
    pieces = positions + shift
    inside = (positions >= 0) & (pieces >= limits[0]) & (pieces < limits[1])
    return pieces[inside], prediction[f"{name}_logits"][inside].astype(np.float64)


def _ranked(spans: np.ndarray, offsets: np.ndarray, passage: str, limit: int) -> list[Candidate]:
    kept: dict[str, tuple[int, int, float]] = {}
    for row in np.argsort(-spans[:, 2], kind="stable"):
        if len(kept) == limit:
            break
        first, last, logit = spans[row]
        start, end = int(offsets[int(first), 0]), int(offsets[int(last), 1])
        kept.setdefault(passage[start:end], (start, end, float(logit)))
    logits = np.array([logit for _, _, logit in kept.values()])
    weights = np.exp(logits - logits.max()) if len(logits) else logits
    return [
        Candidate(text, start, end, float(weight / weights.sum()), logit)
        for (text, (start, end, logit)), weight in zip(kept.items(), weights, strict=True)
    ]
