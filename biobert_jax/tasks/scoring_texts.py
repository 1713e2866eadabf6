"""A trained model and texts with gold labels or scores as a task that is only scored.

As `tasks.scoring`, for classification and similarity.
"""

from collections.abc import Mapping
from pathlib import Path

from biobert_jax.datasets import classification as classification_sets
from biobert_jax.datasets.classification import ClassificationSet
from biobert_jax.datasets.relation_files import find_splits
from biobert_jax.datasets.similarity import SimilaritySet, check_pairs
from biobert_jax.datasets.text_records import Record, read_records
from biobert_jax.errors import CheckpointError, DataError, at
from biobert_jax.models.heads import SequenceClassifier
from biobert_jax.tasks.classification import ClassificationCard, ClassificationTask
from biobert_jax.tasks.protocol import Task
from biobert_jax.tasks.scoring import Trained, check_used, common_fields
from biobert_jax.tasks.similarity import OUTPUTS, SimilarityCard, SimilarityTask


def score_classification(model: Trained, data: Path, split: str, rename: Mapping[str, str]) -> Task:
    """Texts of a file, or of a split of a folder, with the labels of a classifier.

    Args:
      model: a classifier of texts.
      data: the file or the folder.
      split: of the folder: train, devel or test.
      rename: from labels in the data to labels of the model.

    Raises:
      DataError: the data has a label that the model does not know, or another kind of texts.
    """
    labels, card = list(model.labels or ()), model.card
    if not labels:
        raise CheckpointError(f"{model.source}: does not name its labels; expected a classifier")
    path = _file(data, split)
    records = read_records(path, "label")
    if set(labels) == set(classification_sets.HALLMARKS):
        records = classification_sets.hallmarks(records)
    check_used(rename, {label for record in records for label in record.labels}, data)
    records = [
        record._replace(labels=tuple(rename.get(label, label) for label in record.labels))
        for record in records
    ]
    classification_sets.check_labels(labels, records, f"the model of {model.source}")
    if not isinstance(card, ClassificationCard):
        first = records[0]
        card = ClassificationCard(
            **common_fields(card), several=first.several, paired=first.second is not None
        )
    _check_paired(records, card.paired, model.source)
    if records[0].several != card.several:
        raise DataError(
            f"{records[0].where}: found {'several labels' if records[0].several else 'one class'}; "
            f"the model of {model.source} gives "
            f"{'several labels' if card.several else 'one class'} to a text"
        )
    head = SequenceClassifier(model.architecture, model.compute, num_labels=len(labels))
    chosen = ClassificationSet({"test": records}, labels, card.several, {})
    return ClassificationTask(chosen, model.tokenizer, head, card.windows, card)


def score_similarity(model: Trained, data: Path, split: str, rename: Mapping[str, str]) -> Task:
    """Pairs with scores of a file, or of a split of a folder.

    Args:
      model: of similarity.
      data: the file or the folder.
      split: of the folder: train, devel or test.
      rename: must be empty.

    Raises:
      DataError: the data has no pairs with scores.
    """
    if rename:
        raise DataError(f"{at(data)}: expected no --map: scores have no names")
    card = model.card
    if not isinstance(card, SimilarityCard):
        card = SimilarityCard(**common_fields(card))
    records = read_records(_file(data, split), "score")
    check_pairs(records)
    head = SequenceClassifier(model.architecture, model.compute, num_labels=len(OUTPUTS))
    chosen = SimilaritySet({"test": records}, (card.scale.low, card.scale.high), {})
    return SimilarityTask(chosen, model.tokenizer, head, card.windows, card)


def _check_paired(records: list[Record], paired: bool, source: str) -> None:
    found = records[0].second is not None
    if found != paired:
        kinds = {True: "pairs of texts", False: "single texts"}
        raise DataError(
            f"{records[0].where}: found {kinds[found]}; the model of {source} was trained on "
            f"{kinds[paired]}"
        )


def _file(data: Path, split: str) -> Path:
    if not data.is_dir():
        return data
    files, name = find_splits(data), {"devel": "validation"}.get(split, split)
    if name not in files:
        raise DataError(f"{at(data)}: has no {split} file; found {', '.join(files)}")
    return files[name]
