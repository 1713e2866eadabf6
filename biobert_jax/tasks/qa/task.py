"""Question answering: the span of a passage that answers, for SQuAD and BioASQ."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp

from biobert_jax.datasets.bioasq import find_answers, question_id, write_submission
from biobert_jax.datasets.qa import QaSplits
from biobert_jax.datasets.squad import Question
from biobert_jax.evaluation import qa as evaluation
from biobert_jax.evaluation.questions import answered, write_questions
from biobert_jax.files import write_json
from biobert_jax.input.packing import IGNORED, Example, Feature
from biobert_jax.models.heads import SpanClassifier, gather_positions
from biobert_jax.tasks.protocol import Arrays, Per
from biobert_jax.tasks.qa.answers import Candidate, Decoding, Merged, above, merge, n_best
from biobert_jax.tasks.qa.card import QaCard
from biobert_jax.tasks.qa.windows import Windowing, featurize
from biobert_jax.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)

SCORES = {"span": "f1", "factoid": "mrr", "list": "f1", "yesno": "macro_f1"}
"""The score of each kind of questions that selects checkpoints."""

_OUTSIDE = -1e30  # not -inf, whose logsumexp over an unused slot has no gradient
_THRESHOLDS = [i / 100 for i in range(1, 61)]


def by_sequence(logits: jax.Array, batch: Arrays) -> jax.Array:
    """Spreads the logits of packed rows over their sequences.

    Args:
      logits: [B, S].
      batch: segment_ids [B, S], cls_positions [B, N].

    Returns:
      [B, N, S] the logits at each sequence's own tokens, a very low number elsewhere.
    """
    slots = 1 + jnp.arange(batch["cls_positions"].shape[1])
    of_slot = batch["segment_ids"][:, None, :] == slots[None, :, None]
    return jnp.where(of_slot, logits[:, None, :], _OUTSIDE)


def position_loss_sum(logits: jax.Array, positions: jax.Array, batch: Arrays) -> jax.Array:
    """Sum over sequences of -log softmax(its own tokens' logits) at a position.

    All tokens of a sequence take part, the question's too, as in run_qa.py. There padding took part
    as well, which no packed form could equal.

    Args:
      logits: [B, S] float32.
      positions: [B, N] within each sequence; negative ones do not count.
      batch: as in `by_sequence`.
    """
    normaliser = jax.nn.logsumexp(by_sequence(logits, batch), axis=-1)
    at = batch["cls_positions"] + jnp.maximum(positions, 0)
    taken = gather_positions(logits[..., None], at)[..., 0]
    return jnp.sum(jnp.where(positions >= 0, normaliser - taken, 0.0))


def best_positions(logits: jax.Array, count: int, batch: Arrays) -> tuple[jax.Array, jax.Array]:
    """The highest logits of each sequence.

    Returns:
      [B, N, k] positions within the sequence, best first, -1 where it has fewer tokens; and their
      logits.
    """
    values, columns = jax.lax.top_k(by_sequence(logits, batch), min(count, logits.shape[1]))
    positions = columns - batch["cls_positions"][..., None]
    return jnp.where(values > _OUTSIDE, positions, -1).astype(jnp.int32), values


def best_ends(outputs: Arrays, count: int, batch: Arrays) -> dict[str, jax.Array]:
    """What `answers.n_best` needs of each sequence: its best starts and ends, [B, N, k].

    Args:
      outputs: a span head's start_logits and end_logits, [B, S].
      count: how many of each.
      batch: as in `by_sequence`.
    """
    predictions = {}
    for name in ("start", "end"):
        positions, logits = best_positions(outputs[f"{name}_logits"], count, batch)
        predictions |= {f"{name}s": positions, f"{name}_logits": logits}
    return predictions


class QaTask:
    """Finds answers in passages; see `tasks.protocol.Task` for the methods."""

    name = "qa"
    stream = None

    def __init__(
        self,
        splits: QaSplits,
        kind: str,
        tokenizer: Tokenizer,
        model: SpanClassifier,
        windowing: Windowing,
        decoding: Decoding,
        card: QaCard,
    ):
        """Featurises the splits.

        Args:
          splits: pairs of question and passage, and BioASQ's gold answers.
          kind: `span` (each pair is a question of its own; SQuAD's scores), `factoid` or `list`
            (the passages of a question are merged; BioASQ's scores).
          tokenizer: the checkpoint's.
          model: the span head.
          windowing, decoding: how passages are cut and answers read off.
          card: what checkpoints carry.

        Raises:
          UserError: a window is longer than the model can read.
        """
        if kind not in ("span", "factoid", "list"):
            raise ValueError(f"kind is {kind!r}; expected 'span', 'factoid' or 'list'")
        windowing.check_fits(model.config)
        parts = ("starts", "start_logits", "ends", "end_logits")
        self.predictions: dict[str, Per] = dict.fromkeys(parts, "sequence")
        self.features = {
            "input_ids": Feature("token", pad=tokenizer.pad_id),
            "token_type_ids": Feature("token"),
            "start_position": Feature("sequence", pad=IGNORED),
            "end_position": Feature("sequence", pad=IGNORED),
        }
        self.model, self.card = model, card
        self._splits, self._kind, self._decoding = splits, kind, decoding
        self._threshold = decoding.threshold
        self._windows = {}
        for split, questions in splits.questions.items():
            windows = self._windows[split] = featurize(questions, tokenizer, windowing)
            logger.info(
                "%s: %d pairs of question and passage in %d windows (%d passages need several); "
                "%d questions cut to %d pieces",
                split,
                len(questions),
                len(windows.examples),
                windows.windowed,
                windows.cut_questions,
                windowing.max_question,
            )
        if splits.unanswerable:
            logger.info(
                "train: %d questions left out, no passage has their answer", splits.unanswerable
            )

    def examples(self, split: str) -> Sequence[Example]:
        return self._windows[split].examples if split in self._windows else []

    def loss_weights(self, batch):
        return {"span": jnp.sum(batch["start_position"] >= 0).astype(jnp.float32)}

    def losses(self, outputs, batch):
        start = position_loss_sum(outputs["start_logits"], batch["start_position"], batch)
        end = position_loss_sum(outputs["end_logits"], batch["end_position"], batch)
        return {"span": (start + end) / 2}

    def predict(self, outputs, batch):
        return best_ends(outputs, self._decoding.n_best, batch)

    def evaluate(self, split, predictions, directory):
        questions = self._splits.questions[split]
        passages = [question.context for question in questions]
        found = n_best(passages, self._windows[split], predictions, self._decoding)
        if directory is not None:
            _write_n_best(directory / f"{split}_nbest.json", questions, found)
        if self._kind == "span":
            return self._evaluate_spans(split, questions, found, directory)
        return self._evaluate_bioasq(split, questions, found, directory)

    def score(self, results):
        return results[SCORES[self._kind]]

    def _evaluate_spans(self, split, questions, found, directory):
        predicted = {q.id: c[0].text for q, c in zip(questions, found, strict=True) if c}
        if directory is not None:
            write_json(directory / f"{split}.json", predicted, indent=1)
        gold = {q.id: [answer.text for answer in q.answers] for q in questions if q.answers}
        if directory is not None:
            path = directory / f"{split}_questions.jsonl"
            write_questions(path, answered("span", {"": gold}, predicted))
        return evaluation.squad_scores(gold, predicted)

    def _evaluate_bioasq(self, split, questions, found, directory):
        batches = self._splits.gold[split]
        gold = {id_: answer for batch in batches.values() for id_, answer in batch.items()}
        of_question: dict[str, list[list[Candidate]]] = {id_: [] for id_ in gold}
        for question, candidates in zip(questions, found, strict=True):
            # A limit on passages, or a file of another year, may bring questions without gold.
            of_question.setdefault(question_id(question.id), []).append(candidates)
        merged = {id_: merge(candidates) for id_, candidates in of_question.items()}
        if self._kind == "factoid":
            answers = {id_: _texts(m[: self._decoding.top]) for id_, m in merged.items()}
            results = evaluation.factoid_report(batches, answers)
        else:
            if split == "validation":
                self._threshold = best_threshold(gold, merged)
            answers = {id_: _texts(above(m, self._threshold)) for id_, m in merged.items()}
            results = evaluation.list_scores(gold, answers) | {"threshold": self._threshold}
        results["questions"] = len(gold)
        results["unanswerable"] = _unanswerable(gold, questions)
        if directory is not None:
            name = "bioasq.json" if split == "test" else f"bioasq_{split}.json"
            write_submission(directory / name, self._kind, answers)
            path = directory / f"{split}_questions.jsonl"
            write_questions(path, answered(self._kind, batches, answers))
        return results


def best_threshold(
    gold: Mapping[str, evaluation.Synonyms], merged: Mapping[str, Sequence[Merged]]
) -> float:
    """The threshold of list answers with the highest mean F1; the lowest of equals."""

    def f1(threshold: float) -> float:
        answers = {id_: _texts(above(its, threshold)) for id_, its in merged.items()}
        return evaluation.list_scores(gold, answers)["f1"]

    return max(_THRESHOLDS, key=f1)


def _texts(answers: Sequence[Merged]) -> list[str]:
    return [answer.text for answer in answers]


def _unanswerable(gold: Mapping[str, evaluation.Synonyms], questions: Sequence[Question]) -> int:
    """How many questions have no passage with any of their answers."""
    answerable = set()
    for question in questions:
        id_ = question_id(question.id)
        if id_ in gold and id_ not in answerable and find_answers(question.context, gold[id_]):
            answerable.add(id_)
    return len(gold) - len(answerable)


def _write_n_best(
    path: Path, questions: Sequence[Question], found: Sequence[Sequence[Candidate]]
) -> None:
    content = {
        question.id: [candidate._asdict() for candidate in candidates]
        for question, candidates in zip(questions, found, strict=True)
    }
    write_json(path, content, indent=1)
