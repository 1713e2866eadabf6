"""Windows over passages: no piece unread, no answer cut; and the answers read off again."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biobert_jax.datasets.bioasq import read_passages
from biobert_jax.datasets.squad import Answer, Question, read_squad
from biobert_jax.errors import UserError
from biobert_jax.tasks.qa.answers import Candidate, Decoding, above, merge, n_best
from biobert_jax.tasks.qa.windows import (
    Windowing,
    answer_pieces,
    featurize,
    passage_ranges,
    speakers,
)
from biobert_jax.text.wordpiece import WordPieceTokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = list("abcdefghijklmnopqrstuvwxyzABCµ.,(?")
TOKENIZER = WordPieceTokenizer(SPECIAL + LETTERS + [f"##{c}" for c in LETTERS], lowercase=False)
WINDOWING = Windowing(max_length=20, stride=4, max_question=5)


def test_a_sequence_is_question_and_passage():
    question = Question("q", "ab?", "Cab (de).", (Answer(5, "de"),))
    windows = featurize([question], TOKENIZER, WINDOWING)
    (example,) = windows.examples
    tokens = [TOKENIZER.vocabulary[i] for i in example["input_ids"]]
    assert " ".join(tokens) == "[CLS] a ##b ? [SEP] C ##a ##b ( d ##e [UNK] . [SEP]"
    np.testing.assert_array_equal(example["token_type_ids"], [0] * 5 + [1] * 9)
    answer = tokens[example["start_position"] : example["end_position"] + 1]
    assert answer == ["d", "##e"]


def test_long_questions_are_cut_and_counted():
    windows = featurize([Question("q", "abcdefgh", "a")], TOKENIZER, WINDOWING)
    assert windows.cut_questions == 1
    assert len(windows.examples[0]["input_ids"]) == 5 + 1 + 3


def test_a_passage_without_any_piece_still_gives_a_window():
    windows = featurize([Question("q", "a", "\u200b")], TOKENIZER, WINDOWING)
    assert len(windows.examples) == 1
    assert windows.count[0] == 0
    nothing = {k: np.array([-1]) for k in ("starts", "ends", "start_logits", "end_logits")}
    assert n_best(["\u200b"], windows, [nothing], Decoding()) == [[]]


def test_a_stride_that_would_skip_pieces_is_refused():
    with pytest.raises(UserError, match=r"windows\.stride is 13; expected 1 to .* = 12"):
        Windowing(max_length=20, stride=13, max_question=5)


@given(st.integers(0, 300), st.integers(1, 40), st.integers(1, 40))
def test_ranges_cover_a_passage_as_the_original_cuts_it(pieces, size, stride):
    stride = min(size, stride)
    expected, start = [], 0
    while start < pieces:  # run_qa.py, convert_examples_to_features
        length = min(pieces - start, size)
        expected.append((start, start + length))
        if start + length == pieces:
            break
        start += min(length, stride)
    assert passage_ranges(pieces, size, stride) == (expected or [(0, 0)])
    assert {p for first, last in expected for p in range(first, last)} == set(range(pieces))


def test_a_piece_is_begun_from_the_window_with_most_context():
    ranges = [(0, 8), (4, 12), (8, 14)]
    # The last window is shorter, which costs it the tie at piece 9 and not more.
    np.testing.assert_array_equal(speakers(ranges, 14), [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])


@pytest.mark.parametrize(
    ("start", "text", "pieces"),
    [
        (0, "ab", (0, 1)),
        (1, "b (", (1, 2)),
        (4, "c", (3, 3)),
        (0, "ab (cd", (0, 4)),
        (2, " ", None),
    ],
)
def test_an_answer_has_the_pieces_that_it_touches(start, text, pieces):
    offsets = TOKENIZER.encode("ab (cd").offsets
    assert answer_pieces(offsets, Answer(start, text)) == pieces


def said(windows, e, starts, ends):
    """Predictions for a window, given as {position: logit}, in any order."""
    arrays = {}
    for name, logits in (("start", starts), ("end", ends)):
        order = sorted(logits, key=lambda position: -logits[position])
        arrays[f"{name}s"] = np.array([*order, -1])
        arrays[f"{name}_logits"] = np.array([*(logits[p] for p in order), -1e30], np.float32)
    return arrays


def test_candidates_are_exact_slices_in_order_and_of_allowed_length():
    passage = "ab cd ef gh"
    windows = featurize([Question("q", "a", passage)], TOKENIZER, WINDOWING)
    at = windows.passage_start[0]
    # Position 1 is the question's: it must not begin or end an answer.
    starts = {1: 9.0, at: 3.0, at + 2: 2.0}
    ends = {1: 9.0, at + 1: 3.0, at + 5: 2.5}
    predictions = [said(windows, 0, starts, ends)]
    (found,) = n_best([passage], windows, predictions, Decoding(max_answer=4))
    assert [(c.text, c.logit) for c in found] == [("ab", 6.0), ("cd ef", 4.5)]
    assert all(passage[c.start : c.end] == c.text for c in found)
    np.testing.assert_allclose([c.probability for c in found], [0.8175745, 0.1824255], rtol=1e-5)
    (longer,) = n_best([passage], windows, predictions, Decoding(max_answer=6))
    assert [c.text for c in longer] == ["ab", "ab cd ef", "cd ef"]


def test_a_text_is_kept_once_and_only_the_best_are():
    passage = "ab cd ab"
    windows = featurize([Question("q", "a", passage)], TOKENIZER, WINDOWING)
    at = windows.passage_start[0]
    predictions = [
        said(windows, 0, {at: 1.0, at + 4: 5.0, at + 2: 0.0}, {at + 1: 1.0, at + 5: 5.0, at + 3: 0})
    ]
    (found,) = n_best([passage], windows, predictions, Decoding(max_answer=2))
    assert [(c.text, c.start) for c in found] == [("ab", 6), ("cd", 3)]
    (found,) = n_best([passage], windows, predictions, Decoding(max_answer=2, n_best=1))
    assert len(found) == 1


def test_only_the_window_with_most_context_begins_an_answer():
    passage = "a b c d e f g h i j k l m n o p q r s t"
    windows = featurize([Question("q", "a", passage)], TOKENIZER, WINDOWING)
    assert len(windows.examples) > 1
    piece = 5
    predictions = []
    for e in range(len(windows.examples)):
        at = int(windows.passage_start[e] + piece - windows.first[e])
        inside = 0 <= piece - windows.first[e] < windows.count[e]
        # The first window has less context there; its higher logit must not count.
        logits = {at: 9.0 - e} if inside else {}
        predictions.append(said(windows, e, logits, logits))
    ranges = list(zip(windows.first, windows.first + windows.count, strict=True))
    speaker = speakers(ranges, 20)[piece]
    (found,) = n_best([passage], windows, predictions, Decoding())
    assert [(c.text, c.logit) for c in found] == [("f", 2 * (9.0 - speaker))]


def candidate(text, probability):
    return Candidate(text, 0, len(text), probability, 0.0)


def test_passages_merge_as_in_transform_nbset2bioasqform():
    first = [candidate("krt1", 0.5), candidate("", 0.3), candidate("x" * 101, 0.2)]
    second = [candidate("TP53", 0.7), candidate("KRT1", 0.3)]
    third = [candidate("x" * 100, 0.1)]
    merged = merge([first, second, third])
    assert [answer.text for answer in merged] == ["krt1", "TP53", "x" * 100]
    np.testing.assert_allclose([answer.probability for answer in merged], [0.8, 0.7, 0.1])
    # The form with the highest single probability is kept, and where it stands.
    (kept,) = merge([[candidate("A", 0.2)], [candidate("a", 0.6)]])
    assert (kept.text, kept.passage, kept.start, kept.end) == ("a", 1, 0, 1)
    assert [answer.text for answer in above(merged, 0.4)] == ["krt1", "TP53"]
    assert len(merge([first], max_characters=101)) == 2
    assert merge([]) == above([], 0.1) == []


def sweep(shared_data):
    """All questions of shared/data/QA under BIOBERT_FULL=1, else a sample."""
    folder = shared_data / "QA"
    files = sorted((folder / "SQuAD").glob("*.json"))
    for path in files + sorted((folder / "BioASQ").rglob("BioASQ-t*.json")):
        questions = (read_squad if path.parent.name == "SQuAD" else read_passages)(path)
        yield questions[:: 1 if os.environ.get("BIOBERT_FULL") == "1" else 60]


@pytest.mark.parametrize("windowing", [Windowing(), Windowing(64, 16, 24)])
def test_real_passages_are_read_whole_and_their_answers_come_back(shared_data, windowing):
    tokenizer = WordPieceTokenizer.from_vocabulary(
        next((shared_data / "vocab").glob("*cased*vocab.txt")), lowercase=False
    )
    labelled = 0
    for questions in sweep(shared_data):
        windows = featurize(questions, tokenizer, windowing)
        covered = [np.zeros(len(offsets), bool) for offsets in windows.offsets]
        longest = max(len(example["input_ids"]) for example in windows.examples)
        assert longest <= windowing.max_length
        for e, example in enumerate(windows.examples):
            q, first, count = windows.question[e], windows.first[e], windows.count[e]
            covered[q][first : first + count] = True
            if not questions[q].answers:
                continue
            answer = questions[q].answers[0]
            span = answer_pieces(windows.offsets[q], answer)
            whole = first <= span[0] and span[1] < first + count
            ends = example["start_position"], example["end_position"]
            if not whole:
                assert ends == (0, 0)
                continue
            labelled += 1
            a, b = (int(end - windows.passage_start[e] + first) for end in ends)
            start, end = windows.offsets[q][a, 0], windows.offsets[q][b, 1]
            # Pieces may be longer than the answer at either end, but never cut it.
            assert questions[q].context[start:end].find(answer.text.strip()) >= 0
        assert all(pieces.all() for pieces in covered)
    assert labelled > 100


def test_answers_to_real_questions_are_exact_slices(shared_data):
    tokenizer = WordPieceTokenizer.from_vocabulary(
        next((shared_data / "vocab").glob("*cased*vocab.txt")), lowercase=False
    )
    rng = np.random.default_rng(0)
    answers = 0
    for questions in sweep(shared_data):
        windows = featurize(questions, tokenizer, Windowing())
        predictions = []
        for example in windows.examples:
            order = rng.permutation(len(example["input_ids"]))[:20]
            logits = -np.sort(-rng.normal(0, 3, len(order)))
            predictions.append(
                {"starts": order, "start_logits": logits, "ends": order + 3, "end_logits": logits}
            )
        passages = [question.context for question in questions]
        for passage, found in zip(
            passages, n_best(passages, windows, predictions, Decoding()), strict=True
        ):
            answers += len(found)
            assert len({candidate.text for candidate in found}) == len(found)
            for text, start, end, probability, _ in found:
                assert 0 <= start < end <= len(passage)
                assert passage[start:end] == text
                assert 0 < probability <= 1
    assert answers > 1000
