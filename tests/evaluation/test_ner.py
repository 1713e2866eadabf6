"""Entity scores against conlleval's rules, token scores against scikit-learn, and the files."""

import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import precision_recall_fscore_support

from biobert_jax.datasets.conll import Sentence
from biobert_jax.errors import DataError
from biobert_jax.evaluation.ner import read_predictions, score, write_predictions

TYPED = ["O", "B-Gene", "I-Gene", "E-Gene", "S-Gene", "B-cell-line", "I-cell-line", "S-cell-line"]
BARE = ["O", "B", "I"]
BARE_BIOES = ["O", "B", "I", "E", "S"]
MIXED = ["O", "B", "I", "B-Gene", "I-Gene"]


def conlleval(gold: list[list[str]], predicted: list[list[str]]) -> dict[str, list[int]]:
    """Counts correct, guessed and gold chunks per type by the rules of the conlleval script.

    It walks over the words once and never builds a chunk: it remembers only whether the chunks open
    in both columns began together, and settles that when they end.
    """
    counts: dict[str, list[int]] = {}

    def split(tag):
        prefix, _, type_ = tag.partition("-")
        return prefix, type_

    def starts(before, now):
        (p, p_type), (t, t_type) = before, now
        return (
            t in ("B", "S")
            or (p in ("E", "S", "O") and t in ("E", "I"))
            or (t != "O" and p_type != t_type)
        )

    def ends(before, now):
        (p, p_type), (t, t_type) = before, now
        return (
            p in ("E", "S")
            or (p in ("B", "I") and t in ("B", "S", "O"))
            or (p != "O" and p_type != t_type)
        )

    def add(type_, which):
        counts.setdefault(type_, [0, 0, 0])[which] += 1

    for gold_tags, predicted_tags in zip(gold, predicted, strict=True):
        last_gold = last_guess = ("O", "")
        together = False
        for g, p in zip([*gold_tags, "O"], [*predicted_tags, "O"], strict=True):
            now_gold, now_guess = split(g), split(p)
            if together:
                gold_ends, guess_ends = ends(last_gold, now_gold), ends(last_guess, now_guess)
                if gold_ends and guess_ends and last_gold[1] == last_guess[1]:
                    together = False
                    add(last_gold[1], 0)
                elif gold_ends != guess_ends or now_gold[1] != now_guess[1]:
                    together = False
            gold_starts, guess_starts = starts(last_gold, now_gold), starts(last_guess, now_guess)
            if gold_starts and guess_starts and now_gold[1] == now_guess[1]:
                together = True
            if guess_starts:
                add(now_guess[1], 1)
            if gold_starts:
                add(now_gold[1], 2)
            last_gold, last_guess = now_gold, now_guess
    return counts


def pairs_of_sentences(alphabet: list[str]):
    tag = st.sampled_from(alphabet)
    # Mostly agreeing pairs: independent ones hardly ever share an entity of several words.
    pair = st.one_of(tag.map(lambda t: (t, t)), st.tuples(tag, tag))
    return st.lists(st.lists(pair, max_size=12), max_size=6)


@pytest.mark.parametrize("alphabet", [TYPED, BARE, BARE_BIOES, MIXED], ids=str)
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_entity_scores_follow_conlleval(alphabet, data):
    sentences = data.draw(pairs_of_sentences(alphabet))
    gold = [[g for g, _ in sentence] for sentence in sentences]
    predicted = [[p for _, p in sentence] for sentence in sentences]
    expected = conlleval(gold, predicted)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = score(gold, predicted)
    correct, guessed, true = (sum(c[i] for c in expected.values()) for i in range(3))
    assert result["counts"]["correct_entities"] == correct
    assert result["counts"]["predicted_entities"] == guessed
    assert result["counts"]["gold_entities"] == true
    assert result["precision"] == pytest.approx(100 * correct / guessed if guessed else 0)
    assert result["recall"] == pytest.approx(100 * correct / true if true else 0)
    assert result["f1"] == pytest.approx(200 * correct / (guessed + true) if correct else 0)
    named = {type_ or "entity": c for type_, c in expected.items()}
    assert set(result["per_type"]) == set(named)
    for type_, (c, g, t) in named.items():
        assert result["per_type"][type_]["support"] == t
        assert result["per_type"][type_]["f1"] == pytest.approx(200 * c / (g + t) if c else 0)


@pytest.mark.parametrize(
    ("alphabet", "labels"),
    [
        (BARE, ["B", "I"]),
        (["O", "B-Gene", "I-Gene", "B-Cell", "I-Cell"], ["B-Cell", "B-Gene", "I-Cell", "I-Gene"]),
    ],
    ids=str,
)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_token_scores_are_scikit_learns_macro_average(alphabet, labels, data):
    sentences = data.draw(pairs_of_sentences(alphabet))
    flat = [pair for sentence in sentences for pair in sentence]
    types = {tag[1:] for pair in flat for tag in pair if tag != "O"}
    labels = [label for label in labels if label[1:] in types]
    result = score([[g for g, _ in s] for s in sentences], [[p for _, p in s] for s in sentences])
    expected = (0.0, 0.0, 0.0)
    if labels:
        gold, predicted = zip(*flat, strict=True)
        expected = precision_recall_fscore_support(
            gold, predicted, labels=labels, average="macro", zero_division=0
        )[:3]
    assert list(result["token_level"].values()) == pytest.approx([100 * x for x in expected])


def test_token_level_reads_bioes_as_bio():
    bioes = score([["S-X", "O", "B-X", "I-X", "E-X"]], [["S-X", "O", "B-X", "E-X", "O"]])
    bio = score([["B-X", "O", "B-X", "I-X", "I-X"]], [["B-X", "O", "B-X", "I-X", "O"]])
    assert bioes == bio
    assert bio["token_level"]["recall"] == pytest.approx((100 + 50) / 2)


def test_a_word_without_a_prediction_counts_as_o():
    gold = [["B", "I", "O"], ["O", "B"]]
    lost = score(gold, [["B", None, None], ["O", "B"]])
    assert lost["counts"]["words_without_prediction"] == 2
    assert lost["f1"] == score(gold, [["B", "O", "O"], ["O", "B"]])["f1"] == 50
    assert lost["counts"]["words"] == 5


def test_nothing_to_find_and_nothing_found_is_zero_without_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = score([["O", "O"]], [["O", "O"]])
    assert (result["precision"], result["recall"], result["f1"]) == (0, 0, 0)
    assert result["per_type"] == {}


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"2 sentences, predicted 1"):
        score([["O"], ["O"]], [["O"]])
    with pytest.raises(ValueError, match=r"sentence 1 .* gold has 2 tags, predicted 1"):
        score([["O"], ["O", "O"]], [["O"], ["O"]])


def test_predictions_come_back_as_they_were_written(tmp_path):
    sentences = [
        Sentence(("T", "cell line", "\u2028"), ("B-Cell", "I-Cell", "O"), 1),
        Sentence(("α-synuclein",), ("O",), 5),
    ]
    path = tmp_path / "predictions" / "test.conll"
    write_predictions(path, sentences, [["B-Cell", "O", None], ["B-Cell"]])
    assert path.read_text(encoding="utf-8") == (
        "T B-Cell B-Cell\ncell\u00a0line I-Cell O\n\u2028 O O\n\nα-synuclein O B-Cell\n\n"
    )
    words, gold, predicted = read_predictions(path)
    assert words == [["T", "cell\u00a0line", "\u2028"], ["α-synuclein"]]
    assert gold == [["B-Cell", "I-Cell", "O"], ["O"]]
    assert predicted == [["B-Cell", "O", "O"], ["B-Cell"]]
    with pytest.raises(ValueError, match="predicted 1"):
        write_predictions(path, sentences, [["O"]])


def test_a_spoilt_file_of_predictions_is_named(tmp_path):
    path = tmp_path / "test.conll"
    path.write_text("a O O\nb O\n")
    with pytest.raises(DataError, match=r"test\.conll:2: found 2 columns; expected three"):
        read_predictions(path)
