"""A trained model and a file with gold labels as a task that is only scored.

Each function reads a file, or a split of a folder, into the split `test` of its task;
`tasks.registry` lists them.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from biobert_jax.datasets import relation as relation_sets
from biobert_jax.datasets.bioasq import read_official, to_passages
from biobert_jax.datasets.conll import Sentence, read_conll, read_folder, tag_type
from biobert_jax.datasets.qa import Gold, QaSplits, gold_of
from biobert_jax.datasets.relation_files import find_splits, read_relations
from biobert_jax.datasets.squad import read_squad
from biobert_jax.errors import CheckpointError, DataError, at
from biobert_jax.models.config import Compute
from biobert_jax.models.heads import SequenceClassifier, SpanClassifier, TokenClassifier
from biobert_jax.models.protocol import EncoderConfig
from biobert_jax.tasks import ner, relation
from biobert_jax.tasks.cards import Card
from biobert_jax.tasks.protocol import Task
from biobert_jax.tasks.qa.card import QaCard
from biobert_jax.tasks.qa.task import QaTask
from biobert_jax.tasks.qa.yesno import LABELS, YesNoTask
from biobert_jax.text.tokenizer import Tokenizer

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Trained:
    """What is known of a model that is to be scored.

    Attributes:
      source: where it comes from, for messages.
      architecture: its encoder.
      tokenizer: its tokenizer.
      labels: of its classifier, in order; None without one.
      card: what our runs say of themselves; a plain one for other formats.
      compute: how it is computed.
    """

    source: str
    architecture: EncoderConfig
    tokenizer: Tokenizer
    labels: Sequence[str] | None
    card: Card
    compute: Compute


def score_ner(model: Trained, data: Path, split: str, rename: Mapping[str, str]) -> Task:
    """Sentences of a CoNLL file, or of a split of an NER folder.

    Args:
      model: a token classifier.
      data: the file or the folder.
      split: of the folder: train, devel or test.
      rename: from types in the data to types of the model. One type on either side needs none.

    Raises:
      DataError: the data has a type that the model does not know.
    """
    labels = list(model.labels or ())
    if "O" not in labels:
        raise CheckpointError(
            f"{model.source}: its labels are {', '.join(labels) or 'not known'}; expected O and "
            "B-, I- of some types, as a model for named entities has"
        )
    file = read_folder(data)[split] if data.is_dir() else read_conll(data)
    known = {tag_type(label) for label in labels if label != "O"}
    found = {tag_type(tag) for sentence in file.sentences for tag in sentence.tags if tag != "O"}
    check_used(rename, found, data)
    names = dict(rename)
    if not names and len(known) == len(found) == 1 and known != found:
        names = dict(zip(found, known, strict=True))
        logger.warning(
            "%s: its one type, %s, is scored as the model's one type, %s",
            data,
            *(next(iter(types)) or "without a name" for types in (found, known)),
        )
    strange = {names.get(name, name) for name in found} - known
    if strange:
        raise DataError(
            f"{at(data)}: has entities of type {', '.join(sorted(strange))}; the model of "
            f"{model.source} knows {', '.join(sorted(known))}. Name what they are to the model, "
            "such as --map DiseaseClass=Disease"
        )
    sentences = [_renamed(sentence, names) for sentence in file.sentences]
    card = model.card
    if not isinstance(card, ner.NerCard):
        card = ner.NerCard(**common_fields(card))
    head = TokenClassifier(model.architecture, model.compute, num_labels=len(labels))
    return ner.NerTask({"test": sentences}, labels, model.tokenizer, head, card.windows, card)


def check_used(rename: Mapping[str, str], found: set[str], data: Path) -> None:
    """Raises DataError for a name to be renamed that the data do not have: a typing error."""
    if unused := sorted(set(rename) - found):
        raise DataError(
            f"{at(data)}: --map names {', '.join(unused)}, which the data do not have; found "
            f"{', '.join(sorted(found))}"
        )


def _renamed(sentence: Sentence, names: Mapping[str, str]) -> Sentence:
    def rename(tag: str) -> str:
        if tag == "O":
            return tag
        kind = names.get(tag_type(tag), tag_type(tag))
        return f"{tag[0]}-{kind}" if kind else tag[0]

    return sentence._replace(tags=tuple(map(rename, sentence.tags)))


def score_relation(model: Trained, data: Path, split: str, rename: Mapping[str, str]) -> Task:
    """Marked sentences of a file, or of a split of a relation folder.

    Args:
      model: a sequence classifier.
      data: the file or the folder.
      split: of the folder: train, devel or test.
      rename: from classes in the data to classes of the model.

    Raises:
      DataError: the data has a class that the model does not know.
    """
    labels = list(model.labels or ())
    card = model.card if isinstance(model.card, relation.RelationCard) else None
    marking = card.marking if card is not None else "anonymise"
    if data.is_dir():
        files = find_splits(data)
        name = {"devel": "validation"}.get(split, split)
        if name not in files:
            raise DataError(f"{at(data)}: has no {split} file; found {', '.join(files)}")
        data = files[name]
    examples = read_relations(data, marking)
    check_used(rename, {example.label for example in examples}, data)
    examples = [e._replace(label=rename.get(e.label, e.label)) for e in examples]
    strange = sorted({example.label for example in examples} - set(labels))
    if strange:
        raise DataError(
            f"{at(data)}: has the class {', '.join(strange)}; the model of {model.source} knows "
            f"{', '.join(labels)}. Name what it is to the model, such as --map positive=1"
        )
    scored = list(card.scored) if card is not None else []
    scored = scored or [label for label in labels if label not in relation_sets.NEGATIVES]
    if strange := sorted(set(scored) - set(labels)):
        raise CheckpointError(
            f"{model.source}: the card scores the class {', '.join(strange)}, which is none of its "
            f"labels {', '.join(labels)}. Train again, or name another workdir"
        )
    chosen = relation_sets.RelationSet({"test": examples}, labels, scored, {}, {})
    windows = card.windows if card is not None else relation.Windowing()
    head = SequenceClassifier(model.architecture, model.compute, num_labels=len(labels))
    card = card or relation.RelationCard(**common_fields(model.card))
    return relation.RelationTask(chosen, model.tokenizer, head, windows, card)


def score_qa(model: Trained, data: Path, split: str, rename: Mapping[str, str]) -> Task:
    """Questions of a SQuAD-like file, or of one of BioASQ's golden files, by the model's kind.

    Args:
      model: a question answerer.
      data: the file.
      split: not used: a file is one split.
      rename: must be empty.

    Raises:
      DataError: no file, or one without questions of the model's kind.
    """
    del split
    if rename or data.is_dir():
        raise DataError(
            f"{at(data)}: expected a file of questions"
            + (", and no --map: answers have no types" if rename else ", not a folder")
        )
    card = model.card if isinstance(model.card, QaCard) else QaCard(**common_fields(model.card))
    if card.kind == "span":
        splits = QaSplits({"test": read_squad(data)})
    else:
        questions = [question for question in read_official(data) if question.type == card.kind]
        if not questions:
            raise DataError(f"{at(data)}: has no {card.kind} question, which the model answers")
        name = data.name.removesuffix(".json").removesuffix("_golden")
        gold: dict[str, dict[str, Gold]] = {"test": {name: gold_of(questions, card.kind)}}
        splits = QaSplits({"test": to_passages(questions, training=False).questions}, gold)
    arguments = (splits, model.tokenizer)
    if card.kind == "yesno":
        head = SequenceClassifier(model.architecture, model.compute, num_labels=len(LABELS))
        return YesNoTask(*arguments, head, card.windows, card)
    head = SpanClassifier(model.architecture, model.compute)
    return QaTask(splits, card.kind, model.tokenizer, head, card.windows, card.decoding, card)


def common_fields(card: Card) -> dict:
    """The fields that every card has."""
    return {field.name: getattr(card, field.name) for field in dataclasses.fields(Card)}
