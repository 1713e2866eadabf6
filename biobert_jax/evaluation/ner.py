"""Scores for named entity recognition, and the files of predictions that they come from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from biobert_jax.errors import DataError, at
from biobert_jax.files import read_lines, write_text

BARE_TYPE = "entity"  # what the entities of bare B and I tags are called in `per_type`

_SEQEVAL_BARE_TYPE = "_"
_BIO_PREFIX = {"S": "B", "E": "I"}


class TaggedSentence(Protocol):
    """Words and their gold tags."""

    @property
    def words(self) -> Sequence[str]: ...
    @property
    def tags(self) -> Sequence[str]: ...


class Predictions(NamedTuple):
    """The columns of a file of predictions, one list per sentence."""

    words: list[list[str]]
    gold: list[list[str]]
    predicted: list[list[str]]


def score(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str | None]]
) -> dict[str, object]:
    """Scores predicted tags against gold ones.

    An entity counts as found when its first word, last word and type all agree: conlleval's rule,
    as seqeval's default mode has it, so an I that follows no B opens an entity. Precision, recall
    and f1 are micro averages over all entities.

    `token_level` is what the original run_ner.py printed (`tf_metrics`, average "macro"), and the
    first versions of the paper seem to have reported: each tag but O is a class by itself, every
    word one decision, and precision, recall and f1 are the means of the classes' own. The classes
    are B and I of each type that gold or prediction has; an absent one scores 0, as it did there.
    The original counted first word pieces; these are words, one tag each.

    Args:
      gold: one sequence per sentence, BIO or BIOES, typed or bare.
      predicted: the same number of sequences of the same lengths. None means a word without
        a prediction, which is scored as O.

    Returns:
      `precision`, `recall`, `f1`; `per_type`, with these and `support` (gold entities) for each
      type, bare tags' being "entity"; `token_level`, with these three; and `counts` of sentences,
      words, words_without_prediction, and gold, predicted and correct entities. Percentages, 0-100.

    Raises:
      ValueError: the shapes differ.
    """
    # Here, because seqeval imports scikit-learn, and --help should not wait for that.
    from seqeval.metrics.sequence_labeling import get_entities

    _check_shapes(gold, predicted)
    filled = [[tag or "O" for tag in tags] for tags in predicted]
    in_gold: Counter[str] = Counter()
    in_predicted: Counter[str] = Counter()
    correct: Counter[str] = Counter()
    for gold_tags, predicted_tags in zip(gold, filled, strict=True):
        # By sentence: over the whole set at once, seqeval would first build one list of all tags.
        found = set(get_entities(list(gold_tags)))
        guessed = set(get_entities(predicted_tags))
        in_gold.update(entity[0] for entity in found)
        in_predicted.update(entity[0] for entity in guessed)
        correct.update(entity[0] for entity in found & guessed)
    missing = sum(tag is None for tags in predicted for tag in tags)
    return {
        **_scores(correct.total(), in_gold.total(), in_predicted.total()),
        "per_type": {
            BARE_TYPE if type_ == _SEQEVAL_BARE_TYPE else type_: {
                **_scores(correct[type_], in_gold[type_], in_predicted[type_]),
                "support": in_gold[type_],
            }
            for type_ in sorted(in_gold | in_predicted)
        },
        "token_level": _token_level(gold, filled),
        "counts": {
            "sentences": len(gold),
            "words": sum(map(len, gold)),
            "words_without_prediction": missing,
            "gold_entities": in_gold.total(),
            "predicted_entities": in_predicted.total(),
            "correct_entities": correct.total(),
        },
    }


def score_words(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str | None]]
) -> dict[str, object]:
    """Scores which words are in an entity of which type, whatever its bounds: EBM-NLP's way.

    Each word is one decision; `precision`, `recall` and `f1` are means over the types that gold or
    prediction have (macro averages, O left out), as BLURB scores EBM PICO.

    Args:
      gold, predicted: as `score`.

    Returns:
      These three, and `per_type` with them and `support` (gold words). Percentages, 0-100.
    """
    _check_shapes(gold, predicted)
    kind = lambda tag: "" if tag in (None, "O") else tag[2:] or BARE_TYPE
    pairs = Counter(
        (kind(gold_tag), kind(tag))
        for gold_tags, tags in zip(gold, predicted, strict=True)
        for gold_tag, tag in zip(gold_tags, tags, strict=True)
    )
    per_type = {}
    for type_ in sorted({one for pair in pairs for one in pair} - {""}):
        in_gold = sum(count for (one, _), count in pairs.items() if one == type_)
        in_predicted = sum(count for (_, one), count in pairs.items() if one == type_)
        found = _scores(pairs[type_, type_], in_gold, in_predicted)
        per_type[type_] = {**found, "support": in_gold}
    means = {
        name: sum(scores[name] for scores in per_type.values()) / max(len(per_type), 1)
        for name in ("precision", "recall", "f1")
    }
    return {**means, "per_type": per_type}


def write_predictions(
    path: str | Path,
    sentences: Iterable[TaggedSentence],
    predicted: Sequence[Sequence[str | None]],
) -> None:
    """Writes `token gold predicted` lines with a blank line after each sentence.

    `conlleval < path` reads them, and so does `read_predictions`. It takes lines apart at blanks,
    so a blank within a token becomes a no-break space. None is written as O.

    Args:
      path: the file to write; its folder is created.
      sentences: words and gold tags.
      predicted: one sequence of tags per sentence, of its length.

    Raises:
      ValueError: the shapes differ.
    """
    sentences = list(sentences)
    _check_shapes([sentence.tags for sentence in sentences], predicted)

    def lines() -> Iterator[str]:
        for sentence, tags in zip(sentences, predicted, strict=True):
            for word, gold_tag, tag in zip(sentence.words, sentence.tags, tags, strict=True):
                token = word.replace(" ", "\u00a0").replace("\t", "\u00a0")
                yield f"{token} {gold_tag} {tag or 'O'}\n"
            yield "\n"

    write_text(path, lines())


def read_predictions(path: str | Path) -> Predictions:
    """Reads what `write_predictions` wrote.

    Raises:
      DataError: a line does not have three columns; the file cannot be read.
    """
    sentences: list[list[list[str]]] = [[]]
    for number, line in read_lines(path):
        columns = line.split(" ")
        if columns == [""]:
            sentences.append([])
        elif len(columns) == 3:
            sentences[-1].append(columns)
        else:
            raise DataError(
                f"{at(path, number)}: found {len(columns)} columns; expected three, `token "
                "gold predicted`, separated by one blank. Write the predictions again."
            )
    rows = [sentence for sentence in sentences if sentence]
    return Predictions(*([[row[i] for row in sentence] for sentence in rows] for i in range(3)))


def _check_shapes(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[object]]) -> None:
    if len(gold) != len(predicted):
        raise ValueError(f"gold has {len(gold)} sentences, predicted {len(predicted)}")
    for number, (gold_tags, predicted_tags) in enumerate(zip(gold, predicted, strict=True)):
        if len(gold_tags) != len(predicted_tags):
            raise ValueError(
                f"sentence {number} (from 0): gold has {len(gold_tags)} tags, "
                f"predicted {len(predicted_tags)}; a word without a prediction takes None"
            )


def _scores(correct: int, gold: int, predicted: int) -> dict[str, float]:
    """Returns percentages; what would be divided by zero is 0, as conlleval has it."""
    precision = 100 * correct / predicted if predicted else 0.0
    recall = 100 * correct / gold if gold else 0.0
    f1 = 2 * precision * recall / (precision + recall) if correct else 0.0
    return {"precision": precision, "recall": recall, "f1": f1}


def _token_level(
    gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]
) -> dict[str, float]:
    pairs = Counter(
        (_to_bio_label(gold_tag), _to_bio_label(predicted_tag))
        for gold_tags, predicted_tags in zip(gold, predicted, strict=True)
        for gold_tag, predicted_tag in zip(gold_tags, predicted_tags, strict=True)
    )
    endings = sorted({tag[1:] for pair in pairs for tag in pair if tag != "O"})
    per_class = [
        _scores(
            correct=pairs[label, label],
            gold=sum(count for pair, count in pairs.items() if pair[0] == label),
            predicted=sum(count for pair, count in pairs.items() if pair[1] == label),
        )
        for label in [prefix + ending for ending in endings for prefix in "BI"]
    ]
    return {
        name: sum(scores[name] for scores in per_class) / max(len(per_class), 1)
        for name in ("precision", "recall", "f1")
    }


def _to_bio_label(tag: str) -> str:
    return _BIO_PREFIX.get(tag[0], tag[0]) + tag[1:]
