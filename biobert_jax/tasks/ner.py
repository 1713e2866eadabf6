"""Named entity recognition: a tag for the first piece of every word."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from biobert_jax.configuration.card_defaults import NER_WINDOWS
from biobert_jax.datasets.conll import Sentence, label_set, to_bio, to_bioes, to_io
from biobert_jax.datasets.ner import load_splits
from biobert_jax.datasets.repeated import count_repeated
from biobert_jax.datasets.spans import Span, spans_of_tags
from biobert_jax.errors import DataError
from biobert_jax.evaluation import ner as evaluation
from biobert_jax.input.packing import IGNORED, Example, Feature
from biobert_jax.models.heads import TokenClassifier
from biobert_jax.tasks.cards import Card
from biobert_jax.tasks.losses import count_labels, cross_entropy_sum
from biobert_jax.tasks.preparation import Prepared, Starter
from biobert_jax.tasks.protocol import Per
from biobert_jax.tasks.windows import owners, window_starts
from biobert_jax.text.casing import warn_of_capitals
from biobert_jax.text.tokenizer import SPECIALS, Encoding, Tokenizer
from biobert_jax.text.word_joining import joining_characters

logger = logging.getLogger(__name__)

TOKEN_TYPE = 0
BARE_TYPE = evaluation.BARE_TYPE  # of the entities of bare B and I labels


@dataclasses.dataclass(frozen=True)
class Windowing:
    """How sentences are read that are longer than `max_length` pieces.

    Attributes:
      max_length: pieces of a sequence, [CLS] and [SEP] included.
      overlap: pieces that neighbouring windows share.
      truncate: cut such sentences instead, as run_ner.py does; the lost words score as O.
    """

    max_length: int = NER_WINDOWS["max_length"]
    overlap: int = NER_WINDOWS["overlap"]
    truncate: bool = NER_WINDOWS["truncate"]

    def __post_init__(self):
        if self.max_length <= SPECIALS or not 0 <= self.overlap < self.max_length - SPECIALS:
            raise DataError(
                f"windows of {self.max_length} pieces sharing {self.overlap}: windows.max_length "
                f"must be more than {SPECIALS} ([CLS] and [SEP]), windows.overlap less than what "
                "that leaves"
            )


@dataclasses.dataclass(frozen=True, kw_only=True)
class NerCard(Card):
    """A tagger's card.

    Attributes:
      windows: how long sentences were read.
      joining: the punctuation that words of the training sentences have inside; "" where they are
        cut as the basic tokenizer cuts.
    """

    task: str = "ner"
    windows: Windowing = Windowing()
    joining: str = ""


@dataclasses.dataclass
class Featurized:
    """A split as sequences, with the way back to its words.

    Attributes:
      examples: the windows.
      sentence, first_word: [E] which sentence each window is from and its first word.
      owner: for each sentence, the window (counted within the sentence) that speaks for each word.
      truncated_sentences, truncated_words: what cutting lost.
      windowed_sentences: sentences that needed more than one window.
    """

    examples: list[Example]
    sentence: np.ndarray
    first_word: np.ndarray
    owner: list[np.ndarray]
    truncated_sentences: int = 0
    truncated_words: int = 0
    windowed_sentences: int = 0


def prepare(config: Any, start_from: Starter) -> Prepared:
    """The sentences, the labels and the model of a config.

    Args:
      config: dataset, windows, model.dropout.
      start_from: resolves `config.init`.

    Raises:
      DataError: the data cannot be read.
    """
    splits = load_splits(**config.dataset)
    labels = label_set(splits["train"], config.dataset.scheme)
    texts = [" ".join(sentence.words) for sentence in splits["train"]]
    start = start_from(lambda: texts)
    warn_of_capitals(texts, start.tokenizer.lowercase)
    head = {"num_labels": len(labels), "classifier_dropout": config.model.dropout}
    model = TokenClassifier(start.architecture, start.compute, **head)
    windows = Windowing(**config.windows)
    joining = joining_characters(sentence.words for sentence in splits["train"])
    card = start.card(NerCard, labels=labels, windows=windows, joining=joining)
    task = NerTask(splits, labels, start.tokenizer, model, windows, card)
    # What train+devel trains on besides is named by `trained_on`.
    others = ["test"] if "devel" in config.dataset.train_on else ["validation", "test"]
    words = {split: [tuple(s.words) for s in splits[split]] for split in ("train", *others)}
    data = {
        "examples": {split: len(of_split) for split, of_split in splits.items()},
        "repeated_sentences": count_repeated(words, "sentences"),
    }
    return Prepared(task, start.initial_params(labels), lambda results: results | {"data": data})


def featurize(
    sentences: Sequence[Sequence[str]],
    tags: Sequence[Sequence[int]] | None,
    tokenizer: Tokenizer,
    windowing: Windowing,
) -> Featurized:
    """Turns tokenised sentences into sequences with a label at the first piece of each word.

    Args:
      sentences: words.
      tags: label ids, parallel to the words; None for text without gold.
      tokenizer: the checkpoint's.
      windowing: how long sentences are read.

    Returns:
      Examples with input_ids, token_type_ids, labels [n] (IGNORED except at first pieces) and
      word_ids [n], the word's index at the first piece of each word and -1 elsewhere.
    """
    encodings = tokenizer.encode_words_batch(sentences)
    return featurize_encodings(encodings, list(map(len, sentences)), tags, tokenizer, windowing)


def featurize_encodings(
    encodings: Sequence[Encoding],
    words: Sequence[int],
    tags: Sequence[Sequence[int]] | None,
    tokenizer: Tokenizer,
    windowing: Windowing,
) -> Featurized:
    """Does `featurize`'s work on sentences that are in pieces already, such as running text.

    Args:
      encodings: the pieces of each sentence.
      words: how many words each has; at least one.
      tags, tokenizer, windowing: as in `featurize`.
    """
    out = Featurized([], np.zeros(0, np.int64), np.zeros(0, np.int64), [])
    of_sentence, first_words = [], []
    size = windowing.max_length - SPECIALS
    for s, (encoding, count) in enumerate(zip(encodings, words, strict=True)):
        pieces = np.bincount(encoding.word_ids, minlength=count)
        ranges = window_starts(pieces, size, windowing.overlap)
        if len(ranges) > 1 and windowing.truncate:
            out.truncated_sentences += 1
            out.truncated_words += count - ranges[0][1]
            ranges = ranges[:1]
        out.windowed_sentences += len(ranges) > 1
        reach = ranges[-1][1]
        owner = np.full(count, -1)
        owner[:reach] = owners(ranges, reach)
        out.owner.append(owner)
        piece_ends = np.concatenate([[0], np.cumsum(pieces)])
        for first, last in ranges:
            begin, end = piece_ends[first], min(piece_ends[last], piece_ends[first] + size)
            word_ids = encoding.word_ids[begin:end]
            is_first = np.diff(word_ids, prepend=-1) > 0
            labels = np.full(end - begin + SPECIALS, IGNORED, np.int32)
            if tags is not None:
                labels[1:-1][is_first] = np.asarray(tags[s], np.int32)[word_ids[is_first]]
            ids = np.empty(end - begin + SPECIALS, np.int32)
            ids[0], ids[-1] = tokenizer.cls_id, tokenizer.sep_id
            ids[1:-1] = encoding.ids[begin:end]
            out.examples.append(
                {
                    "input_ids": ids,
                    "token_type_ids": np.full(len(ids), TOKEN_TYPE, np.int32),
                    "labels": labels,
                    "word_ids": np.concatenate([[-1], np.where(is_first, word_ids, -1), [-1]]),
                }
            )
            of_sentence.append(s)
            first_words.append(first)
    out.sentence = np.array(of_sentence, np.int64)
    out.first_word = np.array(first_words, np.int64)
    return out


def words_from_windows(
    featurized: Featurized, values: Sequence[np.ndarray], fill: Any
) -> list[np.ndarray]:
    """Gathers what was predicted at first pieces, window by window, into one array per sentence.

    Args:
      featurized: what `featurize` returned.
      values: for each example [n, ...], one value per token.
      fill: the value of words that no window read, or that have no piece.

    Returns:
      For each sentence [W, ...].
    """
    trailing = values[0].shape[1:] if len(values) else ()
    dtype = values[0].dtype if len(values) else np.int32
    out = [np.full((len(owner), *trailing), fill, dtype) for owner in featurized.owner]
    window = 0
    for e, s in enumerate(featurized.sentence):
        window = window + 1 if e and featurized.sentence[e - 1] == s else 0
        word_ids = featurized.examples[e]["word_ids"]
        at = np.flatnonzero(word_ids >= 0)
        at = at[featurized.owner[s][word_ids[at]] == window]
        out[s][word_ids[at]] = values[e][at]
    return out


def _check_tags(
    split: str,
    tags: Sequence[Sequence[str]],
    sentences: Sequence[Sentence],
    ids: Mapping[str, int],
) -> None:
    for of_sentence, sentence in zip(tags, sentences, strict=True):
        for number, tag in enumerate(of_sentence):
            if tag not in ids:
                raise DataError(
                    f"{split}, sentence of line {sentence.line}: {sentence.words[number]!r} has "
                    f"the label {tag!r}, which no training sentence has; the model's are "
                    f"{', '.join(ids)}. Train on sentences that have it (is dataset.limit too low?)"
                )


def entity_spans(tags: Sequence[str]) -> list[Span]:
    """Reads entities off predicted tags of any scheme, as conlleval does.

    Returns:
      Ranges of words; the type of bare tags is `evaluation.ner.BARE_TYPE`.
    """
    return [span._replace(type=span.type or BARE_TYPE) for span in spans_of_tags(to_bio(tags))]


class NerTask:
    """Tags words; see `tasks.protocol.Task` for the methods.

    The loss is the mean over words. run_ner.py sums it over all positions, padding included, which
    no packed form could equal; under its clipping to norm 1 both point the same way.
    """

    name = "ner"
    stream = None

    def __init__(
        self,
        splits: Mapping[str, Sequence[Sentence]],
        labels: Sequence[str],
        tokenizer: Tokenizer,
        model: TokenClassifier,
        windowing: Windowing,
        card: NerCard,
    ):
        """Featurises the splits.

        Args:
          splits: gold sentences (IOB2 tags) of `train`, `validation`, `test`.
          labels: label names in the order of the classifier's outputs; with E- and S- labels among
            them, sentences are converted to BIOES for the model and back for the score; with I-
            labels alone, to which words are in an entity, and `macro_f1` is the task's score.
          tokenizer: the checkpoint's.
          model: the classifier, with as many outputs as labels.
          windowing: how long sentences are read.
          card: what checkpoints carry.

        Raises:
          DataError: a tag is none of the labels, or a window is longer than the model can read.
        """
        limit = model.config.max_position_embeddings
        if windowing.max_length > limit:
            raise DataError(
                f"windows.max_length is {windowing.max_length}, but the model has position "
                f"embeddings for {limit} pieces; lower windows.max_length"
            )
        self.predictions: dict[str, Per] = {"tags": "token"}
        self.features = {
            "input_ids": Feature("token", pad=tokenizer.pad_id),
            "token_type_ids": Feature("token"),
            "labels": Feature("token", pad=IGNORED),
        }
        self.model = model
        self.labels = list(labels)
        self.card = card
        self._sentences = splits
        prefixes = {label[0] for label in self.labels}
        self._words_alone = prefixes <= {"I", "O"}  # the labels know no beginning of an entity
        convert = to_bioes if prefixes & {"E", "S"} else to_io if self._words_alone else list
        ids = {label: i for i, label in enumerate(self.labels)}
        self._featurized = {}
        for split, sentences in splits.items():
            tags = [convert(s.tags) for s in sentences]
            _check_tags(split, tags, sentences, ids)
            self._featurized[split] = featurize(
                [s.words for s in sentences],
                [[ids[tag] for tag in of_sentence] for of_sentence in tags],
                tokenizer,
                windowing,
            )
            self._log(split, len(sentences), windowing)

    def _log(self, split: str, sentences: int, windowing: Windowing) -> None:
        f = self._featurized[split]
        logger.info(
            "%s: %d sentences, %d longer than %d pieces (%s)",
            split,
            sentences,
            f.windowed_sentences + f.truncated_sentences,
            windowing.max_length,
            f"cut: {f.truncated_words} words lost"
            if windowing.truncate
            else "read in overlapping windows, no word lost",
        )

    def examples(self, split: str) -> Sequence[Example]:
        featurized = self._featurized.get(split)
        return featurized.examples if featurized else []

    def loss_weights(self, batch):
        return {"tags": count_labels(batch["labels"])}

    def losses(self, outputs, batch):
        return {"tags": cross_entropy_sum(outputs["logits"], batch["labels"])}

    def predict(self, outputs, batch):
        return {"tags": outputs["logits"].argmax(-1).astype(np.int32)}

    def evaluate(self, split, predictions, directory):
        featurized = self._featurized[split]
        sentences = self._sentences[split]
        names = [*self.labels, "O"]  # index -1: no window read the word
        ids = words_from_windows(featurized, [p["tags"] for p in predictions], fill=-1)
        predicted = [to_bio([names[i] for i in of_sentence]) for of_sentence in ids]
        results = evaluation.score([list(s.tags) for s in sentences], predicted)
        if self._words_alone:
            words = evaluation.score_words([s.tags for s in sentences], predicted)
            results = {"macro_f1": words["f1"], "words": words} | results
        results["truncated_words"] = featurized.truncated_words
        if directory is not None:
            directory.mkdir(parents=True, exist_ok=True)
            evaluation.write_predictions(directory / f"{split}.conll", sentences, predicted)
        return results

    def score(self, results):
        return results["macro_f1" if self._words_alone else "f1"]
