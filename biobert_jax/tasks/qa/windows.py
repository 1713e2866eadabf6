"""Question and passage as sequences: long passages in overlapping windows, as run_qa.py cuts them.

[CLS] question [SEP] pieces of the passage [SEP]        token types 0 0 0 1 1
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from biobert_jax.configuration.card_defaults import QA_WINDOWS
from biobert_jax.datasets.squad import Answer, Question
from biobert_jax.errors import UserError
from biobert_jax.input.packing import Example
from biobert_jax.models.protocol import EncoderConfig
from biobert_jax.text.tokenizer import PAIR_SPECIALS, Tokenizer

QUESTION, PASSAGE = 0, 1  # token types
NO_ANSWER = 0  # where both ends of a window without the answer are trained to: its [CLS]


@dataclasses.dataclass(frozen=True)
class Windowing:
    """How pairs of question and passage become sequences.

    Attributes:
      max_length: pieces of a sequence, [CLS] and [SEP] included.
      stride: pieces from the start of a window to that of the next.
      max_question: pieces of a question that are kept.
    """

    max_length: int = QA_WINDOWS["max_length"]
    stride: int = QA_WINDOWS["stride"]
    max_question: int = QA_WINDOWS["max_question"]

    def __post_init__(self):
        room = self.max_length - self.max_question - PAIR_SPECIALS
        if not 0 < self.stride <= room:
            raise UserError(
                f"windows.stride is {self.stride}; expected 1 to max_length - max_question - "
                f"{PAIR_SPECIALS} = {room}, or pieces between two windows would go unread"
            )

    def check_fits(self, model: EncoderConfig) -> None:
        """Raises UserError where windows are longer than a model can read."""
        if self.max_length > model.max_position_embeddings:
            raise UserError(
                f"windows.max_length is {self.max_length}, but the model has position embeddings "
                f"for {model.max_position_embeddings} pieces; lower windows.max_length"
            )


@dataclasses.dataclass
class Windows:
    """A split as sequences, with the way back to its passages.

    Attributes:
      examples: [E] the windows: input_ids, token_type_ids [n], start_position and end_position of
        the answer within the window, `NO_ANSWER` where it is not all there.
      question: [E] which question each window is of; ascending.
      first: [E] the first piece of the passage in the window.
      count: [E] pieces of the passage in the window.
      passage_start: [E] where in the window they begin.
      offsets: for each question [P, 2], where each piece of its passage is in the passage.
      cut_questions: questions longer than max_question.
      windowed: passages that needed more than one window.
    """

    examples: list[Example]
    question: np.ndarray
    first: np.ndarray
    count: np.ndarray
    passage_start: np.ndarray
    offsets: list[np.ndarray]
    cut_questions: int = 0
    windowed: int = 0


def featurize(questions: Sequence[Question], tokenizer: Tokenizer, windowing: Windowing) -> Windows:
    """Cuts pairs of question and passage into windows; every pair has at least one.

    Args:
      questions: of several answers the first is trained to, as run_qa.py does.
      tokenizer: the checkpoint's.
      windowing: lengths.
    """
    contexts = dict.fromkeys(question.context for question in questions)
    passages = dict(zip(contexts, tokenizer.encode_batch(list(contexts)), strict=True))
    texts = dict.fromkeys(question.text for question in questions)
    queries = dict(zip(texts, tokenizer.encode_batch(list(texts)), strict=True))
    nothing = np.zeros(0, np.int64)
    out = Windows([], nothing, nothing, nothing, nothing, [])
    rows = []
    for q, question in enumerate(questions):
        passage, query = passages[question.context], queries[question.text].ids
        out.cut_questions += len(query) > windowing.max_question
        query = query[: windowing.max_question]
        out.offsets.append(passage.offsets)
        span = answer_pieces(passage.offsets, question.answers[0]) if question.answers else None
        size = windowing.max_length - len(query) - PAIR_SPECIALS
        ranges = passage_ranges(len(passage.ids), size, windowing.stride)
        out.windowed += len(ranges) > 1
        for first, last in ranges:
            start = len(query) + 2
            example = _sequence(query, passage.ids[first:last], tokenizer)
            example["start_position"] = example["end_position"] = np.int32(NO_ANSWER)
            if span is not None and first <= span[0] and span[1] < last:
                example["start_position"] = np.int32(span[0] - first + start)
                example["end_position"] = np.int32(span[1] - first + start)
            out.examples.append(example)
            rows.append((q, first, last - first, start))
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    out.question, out.first, out.count, out.passage_start = columns
    return out


def passage_ranges(pieces: int, size: int, stride: int) -> list[tuple[int, int]]:
    """Ranges [first, last) of at most `size` pieces that cover a passage; at least one.

    Args:
      pieces: of the passage.
      size: of a window.
      stride: from the start of a window to that of the next; at most `size`.
    """
    starts = range(0, max(1, pieces - size + stride), stride)
    return [(start, min(start + size, pieces)) for start in starts]


def answer_pieces(offsets: np.ndarray, answer: Answer) -> tuple[int, int] | None:
    """The first and last piece that an answer touches; None where no piece has any of it.

    run_qa.py takes the whitespace-delimited words instead and narrows them where their pieces
    contain those of the answer, with the same result where the answer begins and ends with a piece.

    Args:
      offsets: [P, 2] characters of each piece of the passage.
      answer: in the same passage.
    """
    touched = np.flatnonzero((offsets[:, 1] > answer.start) & (offsets[:, 0] < answer.end))
    return (int(touched[0]), int(touched[-1])) if len(touched) else None


def speakers(ranges: Sequence[tuple[int, int]], pieces: int) -> np.ndarray:
    """[P] for each piece of a passage the window that may begin an answer with it.

    That is the window that has most context on the piece's poorer side, as run_qa.py counts it
    (`_check_is_max_context`, with its hundredth of the window's length).
    """
    score = np.full((len(ranges), pieces), -1.0)
    for w, (first, last) in enumerate(ranges):
        at = np.arange(first, last)
        score[w, first:last] = np.minimum(at - first, last - 1 - at) + 0.01 * (last - first)
    return score.argmax(axis=0)


def _sequence(query: np.ndarray, passage: np.ndarray, tokenizer: Tokenizer) -> dict[str, Any]:
    cls, sep = [tokenizer.cls_id], [tokenizer.sep_id]
    types = np.full(len(query) + len(passage) + PAIR_SPECIALS, PASSAGE, np.int32)
    types[: len(query) + 2] = QUESTION
    return {
        "input_ids": np.concatenate([cls, query, sep, passage, sep]).astype(np.int32),
        "token_type_ids": types,
    }
