"""The sentences of an NER set, from a local folder or through TFDS."""

import logging
from pathlib import Path

from biobert_jax.datasets.conll import (
    ConllFile,
    Sentence,
    check_labels,
    label_set,
    read_folder,
)
from biobert_jax.errors import DataError

logger = logging.getLogger(__name__)

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


def load_ner(
    dataset: str | None = None,
    path: str | Path | None = None,
    data_dir: str | Path | None = None,
) -> dict[str, list[Sentence]]:
    """Returns the sentences of "train", "devel", "test" and "train_dev", in the files' order.

    Args:
      dataset: one of `DATASETS`, downloaded and prepared on first use. Ignored with `path`.
      path: a folder with train.tsv, devel.tsv and test.tsv (see `conll.read_folder`).
      data_dir: where TFDS keeps its data, ~/tensorflow_datasets by default.

    Raises:
      DataError: neither is given, the name is unknown, a file is bad, devel or test have labels
        that train lacks, the download fails or is not what it should be, or the licence forbids it
        and the files are not in their place; the message says what to do.
    """
    if path is not None:
        files = read_folder(path)
        for split in ("train", "devel", "test"):
            _log_repairs(files[split])
        labels = label_set(files["train"].sentences)
        for split in ("devel", "test"):
            check_labels(labels, files[split])
        return {split: file.sentences for split, file in files.items()}
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
    return {
        ours: [_sentence(example) for example in builder.as_data_source(split=theirs)]
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
) -> dict[str, list[Sentence]]:
    """Loads a set as an experiment's `config.dataset` describes it.

    Args:
      name, path: see `load_ner`; `synthetic` is the corpus that the project generates.
      train_on: `train`, or `train+devel` as the original does once the settings are chosen; devel's
        score is then of sentences that the model has seen.
      scheme: not read here; the labels' business.
      limit: how many sentences of each split to take; 0 for all.

    Returns:
      The sentences of `train`, `validation` and `test`.
    """
    if train_on not in ("train", "train+devel"):
        raise DataError(f"dataset.train_on is {train_on!r}; expected 'train' or 'train+devel'")
    if name == "synthetic" and not path:
        from biobert_jax.datasets.synthetic.corpus import ner_splits

        splits = ner_splits()
    else:
        splits = load_ner(name, path or None)
    chosen = {
        "train": splits["train" if train_on == "train" else "train_dev"],
        "validation": splits["devel"],
        "test": splits["test"],
    }
    return {split: sentences[: limit or None] for split, sentences in chosen.items()}
