"""The fine-tuning tasks that `benchmarks.finetune` measures, on local data in its public layout.

Each gives our task as its experiment makes it, and the settings of its config; transformers' model
of the same name trains on the very examples that our task made.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import ml_collections
import numpy as np

from biobert_jax.input.packing import Example, Feature
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.models.config import BertConfig, Compute
from biobert_jax.tasks.protocol import Task
from biobert_jax.text.wordpiece import WordPieceTokenizer

PEERS = {
    "ner": "BertForTokenClassification",
    "relation": "BertForSequenceClassification",
    "qa": "BertForQuestionAnswering",
}
"""For each task the class of transformers that trains the same head."""

_THEIR_NAMES = {
    "label": "labels",
    "start_position": "start_positions",
    "end_position": "end_positions",
}
_THEIR_IGNORED = -100


def make_task(
    name: str, checkpoint: Checkpoint, data: str, compute: Compute
) -> tuple[Task, ml_collections.ConfigDict]:
    """Makes a task with its training split, and the config whose settings it is trained by.

    Args:
      name: `ner` (a folder with train.tsv, devel.tsv, ...), `relation` (one with train.tsv and
        test.tsv, or with folds of such, of which the first is taken) or `qa` (SQuAD-like JSON).
      checkpoint: where the tokenizer and the sizes come from.
      data: the folder.
      compute: how our model is computed.
    """
    tokenizer = WordPieceTokenizer(checkpoint.vocabulary, checkpoint.lowercase)
    rate = 0.1
    architecture = dataclasses.replace(
        checkpoint.config, hidden_dropout_prob=rate, attention_probs_dropout_prob=rate
    )
    return _MAKERS[name](architecture, tokenizer, data, compute)


def _ner(
    architecture: BertConfig, tokenizer: WordPieceTokenizer, data: str, compute: Compute
) -> tuple[Task, ml_collections.ConfigDict]:
    from biobert_jax.configuration.ner import ner
    from biobert_jax.datasets.conll import label_set
    from biobert_jax.datasets.ner import load_splits
    from biobert_jax.models.heads import TokenClassifier
    from biobert_jax.tasks.ner import NerTask, Windowing

    config = ner("own", "")
    train = load_splits("", data)["train"]
    labels = label_set(train)
    model = TokenClassifier(architecture, compute, num_labels=len(labels))
    windowing = Windowing(**config.windows)
    return NerTask({"train": train}, labels, tokenizer, model, windowing, {}), config


def _relation(
    architecture: BertConfig, tokenizer: WordPieceTokenizer, data: str, compute: Compute
) -> tuple[Task, ml_collections.ConfigDict]:
    from biobert_jax.configuration.relation import relation
    from biobert_jax.datasets.relation import fold_numbers, load_relations
    from biobert_jax.models.heads import SequenceClassifier
    from biobert_jax.tasks.relation import RelationTask, Windowing

    config = relation("own", "")
    folds = fold_numbers("own", data)
    loaded = load_relations("own", data, fold=folds[0] if folds else "all")
    loaded = loaded._replace(splits={"train": loaded.splits["train"]})
    model = SequenceClassifier(architecture, compute, num_labels=len(loaded.labels))
    return RelationTask(loaded, tokenizer, model, Windowing(**config.windows), {}), config


def _qa(
    architecture: BertConfig, tokenizer: WordPieceTokenizer, data: str, compute: Compute
) -> tuple[Task, ml_collections.ConfigDict]:
    from biobert_jax.configuration.qa import qa
    from biobert_jax.datasets.qa import QaSplits, load_splits
    from biobert_jax.models.heads import SpanClassifier
    from biobert_jax.tasks.qa.answers import Decoding
    from biobert_jax.tasks.qa.task import QaTask
    from biobert_jax.tasks.qa.windows import Windowing

    config = qa("squad", "span", "")
    train = QaSplits({"train": load_splits("squad", data).questions["train"]})
    windowing, decoding = Windowing(**config.windows), Decoding(**config.decoding)
    model = SpanClassifier(architecture, compute)
    return QaTask(train, "span", tokenizer, model, windowing, decoding, {}), config


_MAKERS: dict[str, Callable[..., tuple[Task, ml_collections.ConfigDict]]] = {
    "ner": _ner,
    "relation": _relation,
    "qa": _qa,
}


def padded(examples: Sequence[Example], features: dict[str, Feature]) -> dict[str, Any]:
    """Lays a batch out as transformers reads it: [B, longest of the batch], int64.

    Args:
      examples: of a task.
      features: the task's.
    """
    lengths = np.array([len(example["input_ids"]) for example in examples])
    real = np.arange(lengths.max()) < lengths[:, None]
    out = {"attention_mask": real.astype(np.int64)}
    for name, feature in features.items():
        values = np.full(real.shape if feature.kind == "token" else len(examples), feature.pad)
        if feature.kind == "token":
            values[real] = np.concatenate([example[name] for example in examples])
        else:
            values[:] = [example[name] for example in examples]
        their_name = _THEIR_NAMES.get(name, name)
        out[their_name] = np.where(values < 0, _THEIR_IGNORED, values).astype(np.int64)
    return out
