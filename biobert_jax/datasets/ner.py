"""The sentences of an NER set, from a local folder or through TFDS."""

import logging
from pathlib import Path
from typing import Any

from biobert_jax.datasets.conll import (
    ConllFile,
    Sentence,
    check_labels,
    label_set,
    read_folder,
)
from biobert_jax.datasets.subsets import drawn
from biobert_jax.errors import DataError, at

logger = logging.getLogger(__name__)

_SPLIT_OF = {"train": "train", "train+devel": "train_dev"}

I2B2 = "i2b2_2010"
DATASETS = (
    "ncbi_disease",
    I2B2,
    "bc5cdr_disease",
    "bc5cdr_chem",
    "bc5cdr",  # both at once
    "bc4chemd",
    "bc2gm",
    "jnlpba",
    "linnaeus",
    "s800",
)
GIVEN = ("jnlpba_blurb", "ebm_pico")  # sets of BLURB that are read from a folder alone


def load_ner(
    dataset: str | None = None,
    path: str | Path | None = None,
    data_dir: str | Path | None = None,
    train_on: str = "train",
) -> dict[str, list[Sentence]]:
    """Returns the sentences of "train", "devel", "test" and "train_dev", in the files' order.

    Args:
      dataset: one of `DATASETS`, downloaded and prepared on first use. Ignored with `path`.
      path: a folder with train.tsv, devel.tsv and test.tsv (see `conll.read_folder`).
      data_dir: where TFDS keeps its data, ~/tensorflow_datasets by default.
      train_on: "train" or "train_dev": what must have entities, and every label of the others.

    Raises:
      DataError: neither is given, the name is unknown, a file is bad, no training word is part of
        an entity, devel or test have labels that training lacks, the download fails or is not what
        it should be, or the licence forbids it and the files are not in their place; the message
        says what to do.
    """
    if path is not None:
        files = read_folder(path)
        for split in ("train", "devel", "test"):
            _log_repairs(files[split])
        training = files[train_on]
        if not training.entities:
            raise DataError(
                f"{at(training.path)}: each of its {training.words:,} words has the tag O; "
                "expected words tagged B and I to learn from. Check that the last column is the tag"
            )
        for split in ("devel", "test"):
            check_labels(label_set(training.sentences), files[split])
            if not files[split].entities:
                logger.warning(
                    "%s: all of its words have the tag O, so that every score on it is 0",
                    files[split].path,
                )
        return {split: file.sentences for split, file in files.items()}
    if dataset in GIVEN:
        raise DataError(
            f"dataset {dataset!r}: found no dataset.path; expected the folder with train.tsv, "
            "dev.tsv and test.tsv that BLURB's data_generation writes "
            "(https://microsoft.github.io/BLURB)"
        )
    if dataset not in DATASETS:
        raise DataError(
            f"dataset {dataset!r}: found no NER set of this name; expected one of "
            f"{', '.join(DATASETS)}. Name one, or set dataset.path to a folder with train.tsv, "
            "devel.tsv and test.tsv."
        )
    splits = _load_tfds(dataset, data_dir)
    return {**splits, "train_dev": splits["train"] + splits["devel"]}


def _log_repairs(file: ConllFile) -> None:
    if file.repaired:
        logger.warning(
            "%s: %d tags continue no entity of their type; each now begins one, as conlleval reads "
            "them",
            file.path,
            file.repaired,
        )


def _load_tfds(dataset: str, data_dir: str | Path | None) -> dict[str, list[Sentence]]:
    # Here, because TFDS takes a second to import, and most runs read a folder.
    from biobert_jax.datasets import ner_builders

    settings = {"data_dir": data_dir, "file_format": "array_record"}
    if dataset == I2B2:
        builder = ner_builders.I2b2Va2010(**settings)
    else:
        builder = ner_builders.BiomedicalNer(config=dataset, **settings)
    builder.download_and_prepare()
    read: Any = builder.as_data_source  # its signature is lost in TFDS' decorators
    return {
        ours: [_sentence(example) for example in read(split=theirs)]
        for ours, theirs in ner_builders.SPLITS.items()
    }


def _sentence(example: dict) -> Sentence:
    return Sentence(
        tuple(word.decode() for word in example["words"]),
        tuple(tag.decode() for tag in example["tags"]),
        int(example["line"]),
    )


def load_splits(
    name: str,
    path: str = "",
    train_on: str = "train+devel",
    scheme: str = "BIO",
    limit: int = 0,
    train_limit: int = 0,
) -> dict[str, list[Sentence]]:
    """Loads a set as an experiment's `config.dataset` describes it.

    Args:
      name, path: see `load_ner`; `synthetic` is the corpus that the project generates.
      train_on: `train`, or `train+devel` as the original does once the settings are chosen; devel's
        score is then of sentences that the model has seen.
      scheme: not read here; the labels' business.
      limit: how many sentences of each split to take; 0 for all.
      train_limit: how many of the training split, which `limit` bounds too; 0 for all. They are a
        random draw, the same for every run, and a smaller one is contained in every larger one.

    Returns:
      The sentences of `train`, `validation` and `test`.
    """
    if train_on not in _SPLIT_OF:
        raise DataError(f"dataset.train_on is {train_on!r}; expected 'train' or 'train+devel'")
    if name == "synthetic" and not path:
        from biobert_jax.datasets.synthetic.corpus import ner_splits

        splits = ner_splits()
    else:
        splits = load_ner(name, path or None, train_on=_SPLIT_OF[train_on])
    chosen = {
        "train": splits[_SPLIT_OF[train_on]],
        "validation": splits["devel"],
        "test": splits["test"],
    }
    limited = {split: sentences[: limit or None] for split, sentences in chosen.items()}
    limited["train"] = drawn(limited["train"], train_limit)
    if (limit or train_limit) and all(tag == "O" for s in limited["train"] for tag in s.tags):
        raise DataError(
            f"dataset.limit is {limit} and dataset.train_limit {train_limit}: these "
            f"{len(limited['train'])} training sentences have no entity to learn from; raise the "
            "limit, or set it to 0 for all"
        )
    return limited
