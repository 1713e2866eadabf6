"""Relation extraction: a class for a sentence with two entities marked, from its [CLS]."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from biobert_jax.configuration.card_defaults import RELATION_WINDOWS
from biobert_jax.datasets.relation import RelationSet, fold_numbers, load_relations
from biobert_jax.datasets.relation_files import RelationExample
from biobert_jax.evaluation import relation as evaluation
from biobert_jax.input.packing import IGNORED, Example, Feature
from biobert_jax.models.heads import SequenceClassifier
from biobert_jax.tasks.cards import Card
from biobert_jax.tasks.losses import count_labels, cross_entropy_sum
from biobert_jax.tasks.preparation import Prepared, Starter
from biobert_jax.tasks.protocol import Per
from biobert_jax.text.casing import warn_of_capitals
from biobert_jax.text.entity_marking import Span, kind_of_mark
from biobert_jax.text.tokenizer import SPECIALS, Tokenizer

logger = logging.getLogger(__name__)

MAX_KINDS = 50  # more are names rather than types


@dataclasses.dataclass(frozen=True)
class Windowing:
    """What of a sentence that is longer than `max_length` pieces is read.

    Attributes:
      max_length: pieces of a sequence, [CLS] and [SEP] included.
      around_marks: what is nearest to the marks; else its beginning, as run_re.py does.
    """

    max_length: int = RELATION_WINDOWS["max_length"]
    around_marks: bool = RELATION_WINDOWS["around_marks"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RelationCard(Card):
    """A relation classifier's card.

    Attributes:
      windows: what of long sentences was read.
      marking: how raw text with offsets was marked, a name of `text.entity_marking.METHODS`.
      marks: the kinds of marks in the training sentences (`text.entity_marking.kind_of_mark`);
        empty where that is unknown, or where there are too many to be types of entities.
      scored: the classes that scores are about; empty for all but `0` and `false`.
    """

    task: str = "relation"
    windows: Windowing = Windowing()
    marking: str = "anonymise"
    marks: Sequence[str] = dataclasses.field(default_factory=list)
    scored: Sequence[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Featurized:
    """A split as sequences.

    Attributes:
      examples: one sequence per sentence, in their order.
      long: how many sentences are longer than a sequence.
      gapped: how many of those also lose a part between their marks.
      unmarked: how many of those have no mark that is known, and lose their end.
      hidden: how many of those lose a mark; none with `around_marks`.
    """

    examples: list[Example]
    long: int = 0
    gapped: int = 0
    unmarked: int = 0
    hidden: int = 0


def folds(config: Any) -> list[int]:
    """The numbers of the folds that `config.dataset.fold` asks for; none where a set has none."""
    return fold_numbers(config.dataset.name, config.dataset.path, config.dataset.fold)


def prepare(config: Any, start_from: Starter) -> Prepared:
    """The pairs, the classes and the model of a config.

    Args:
      config: dataset, which names a fold where there are any; windows, model.dropout.
      start_from: resolves `config.init`.

    Raises:
      DataError: the data cannot be read.
    """
    data = load_relations(**config.dataset)
    texts = [example.text for example in data.splits["train"]]
    start = start_from(lambda: texts)
    warn_of_capitals(texts, start.tokenizer.lowercase)
    head = {"num_labels": len(data.labels), "classifier_dropout": config.model.dropout}
    model = SequenceClassifier(start.architecture, start.compute, **head)
    windows, marking = Windowing(**config.windows), config.dataset.marking
    marks = kinds_of_marks(data.splits["train"])
    card = start.card(
        RelationCard,
        labels=data.labels,
        windows=windows,
        marking=marking,
        marks=marks,
        scored=data.scored,
    )
    task = RelationTask(data, start.tokenizer, model, windows, card)
    initial = start.initial_params(data.labels)
    return Prepared(task, initial, lambda results: results | {"data": data.facts})


def kinds_of_marks(examples: Sequence[RelationExample]) -> list[str]:
    """The kinds of marks in sentences, sorted; none where they are more than `MAX_KINDS`."""
    kinds = {
        kind_of_mark(example.text[start:end])
        for example in examples
        for start, end in example.marks
    }
    return sorted(kinds) if len(kinds) <= MAX_KINDS else []


def pieces_in_view(offsets: np.ndarray, marks: Sequence[Span], size: int) -> np.ndarray:
    """Chooses the pieces of a long sentence that its sequence holds.

    The text from the first mark to the last is kept completely if there is room, with as much
    around it as there is; otherwise each mark with what is nearest to it.

    Args:
      offsets: [n, 2] start and end of each piece in the text.
      marks: [start, end) of the marks in the text.
      size: how many pieces there is room for.

    Returns:
      [min(n, size)] indices of pieces, ascending.
    """
    count = len(offsets)
    if count <= size:
        return np.arange(count)
    rank = np.full(count, count)  # a piece's place within its mark
    for start, end in marks:
        within = np.flatnonzero((offsets[:, 1] > start) & (offsets[:, 0] < end))
        rank[within] = np.minimum(rank[within], np.arange(len(within)))
    core = np.flatnonzero(rank < count)
    if not len(core):
        return np.arange(size)
    if core[-1] - core[0] < size:
        core = np.arange(core[0], core[-1] + 1)
    distance = np.abs(np.arange(count)[:, None] - core).min(axis=1)
    # Of marks that fill the sequence by themselves, each keeps its beginning.
    return np.sort(np.lexsort((rank, distance))[:size])


def featurize(
    texts: Sequence[str],
    marks: Sequence[Sequence[Span]],
    labels: Sequence[int] | None,
    tokenizer: Tokenizer,
    windowing: Windowing,
) -> Featurized:
    """Turns marked sentences into sequences.

    Args:
      texts: the sentences.
      marks: where the marks of each are.
      labels: the class of each; None for sentences without gold.
      tokenizer: the checkpoint's.
      windowing: what of long sentences is read.

    Returns:
      Examples with input_ids, token_type_ids [n] and label, a scalar.
    """
    out = Featurized([])
    size = windowing.max_length - SPECIALS
    for i, encoding in enumerate(tokenizer.encode_batch(texts)):
        shown = marks[i] if windowing.around_marks else ()
        view = pieces_in_view(encoding.offsets, shown, size)
        if len(view) < len(encoding.ids):
            out.long += 1
            out.unmarked += not marks[i]
            out.gapped += bool((np.diff(view) > 1).any())
            starts = encoding.offsets[view]
            out.hidden += any(
                not ((starts[:, 1] > start) & (starts[:, 0] < end)).any() for start, end in marks[i]
            )
        ids = np.empty(len(view) + SPECIALS, np.int32)
        ids[0], ids[-1] = tokenizer.cls_id, tokenizer.sep_id
        ids[1:-1] = encoding.ids[view]
        out.examples.append(
            {
                "input_ids": ids,
                "token_type_ids": np.zeros(len(ids), np.int32),
                "label": np.int32(IGNORED if labels is None else labels[i]),
            }
        )
    return out


class RelationTask:
    """Classifies pairs; see `tasks.protocol.Task` for the methods.

    The loss is the mean over sentences.
    """

    name = "relation"
    stream = None

    def __init__(
        self,
        data: RelationSet,
        tokenizer: Tokenizer,
        model: SequenceClassifier,
        windowing: Windowing,
        card: RelationCard,
    ):
        """Featurises the splits.

        Args:
          data: the examples, and the classes in the order of the classifier's outputs.
          tokenizer: the checkpoint's.
          model: the classifier, with as many outputs as classes.
          windowing: what of long sentences is read.
          card: what checkpoints carry.
        """
        self.predictions: dict[str, Per] = {"probabilities": "sequence"}
        self.features = {
            "input_ids": Feature("token", pad=tokenizer.pad_id),
            "token_type_ids": Feature("token"),
            "label": Feature("sequence", pad=IGNORED),
        }
        self.model = model
        self.card = card
        self._data = data
        ids = {label: i for i, label in enumerate(data.labels)}
        self._featurized = {}
        for split, examples in data.splits.items():
            self._featurized[split] = found = featurize(
                [e.text for e in examples],
                [e.marks for e in examples],
                [ids[e.label] for e in examples],
                tokenizer,
                windowing,
            )
            logger.info(
                "%s: %d sentences, %d longer than %d pieces (%d lose a part between their marks, "
                "%d a mark; %d have no mark that is known)",
                split,
                len(examples),
                found.long,
                windowing.max_length,
                found.gapped,
                found.hidden,
                found.unmarked,
            )

    def examples(self, split: str) -> Sequence[Example]:
        featurized = self._featurized.get(split)
        return featurized.examples if featurized else []

    def loss_weights(self, batch):
        return {"relation": count_labels(batch["label"])}

    def losses(self, outputs, batch):
        return {"relation": cross_entropy_sum(outputs["logits"], batch["label"])}

    def predict(self, outputs, batch):
        return {"probabilities": jax.nn.softmax(outputs["logits"])}

    def evaluate(self, split, predictions, directory):
        examples, labels = self._data.splits[split], self._data.labels
        gold = [example.label for example in examples]
        probabilities = np.stack([p["probabilities"] for p in predictions])
        predicted = [labels[i] for i in probabilities.argmax(-1)]
        results = evaluation.score(
            gold, predicted, labels, self._data.scored, self._data.unreached.get(split)
        )
        found = self._featurized[split]
        results["counts"] |= {"long_sentences": found.long, "gapped_sentences": found.gapped}
        if directory is not None:
            evaluation.write_predictions(
                directory / f"{split}.tsv",
                [example.id for example in examples],
                gold,
                predicted,
                probabilities,
                labels,
            )
        return results

    def score(self, results):
        return results["f1"]
