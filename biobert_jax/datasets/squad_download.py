"""SQuAD v1.1 through the builder that TFDS has, with its checksums; TensorFlow is not needed."""

from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from requests import RequestException
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

from biobert_jax.datasets.connection import check_connection
from biobert_jax.datasets.squad import Answer, Question
from biobert_jax.errors import DataError

URL = "https://rajpurkar.github.io/SQuAD-explorer/dataset/"


def load_squad(data_dir: str | Path | None = None) -> dict[str, list[Question]]:
    """Downloads and prepares SQuAD on first use (35 MB).

    Args:
      data_dir: where TFDS keeps its data, ~/tensorflow_datasets by default.

    Returns:
      The questions of "train" and "validation", SQuAD's dev set.

    Raises:
      DataError: the download fails, or is not the file that it should be.
    """
    builder = tfds.builder("squad/v1.1", data_dir=data_dir, file_format="array_record")
    if not builder.is_prepared():
        check_connection(
            URL + "train-v1.1.json",
            f"Put train-v1.1.json and dev-v1.1.json of {URL} into a folder and set dataset.path to "
            "it",
            Path(builder.data_dir).parents[2] / "downloads",
        )
    try:
        builder.download_and_prepare()
    except (tfds.download.DownloadError, RequestException, NonMatchingChecksumError) as error:
        raise DataError(
            f"SQuAD v1.1: the download failed ({error}). Try again, or put train-v1.1.json and "
            f"dev-v1.1.json of {URL} into a folder and set dataset.path to it."
        ) from error
    read: Any = builder.as_data_source  # its signature is lost in TFDS' decorators
    return {
        split: [_question(example) for example in read(split=split)]
        for split in ("train", "validation")
    }


def _question(example: dict) -> Question:
    answers = example["answers"]
    return Question(
        id=example["id"].decode(),
        text=example["question"].decode(),
        context=example["context"].decode(),
        answers=tuple(
            Answer(int(start), text.decode())
            for start, text in zip(answers["answer_start"], answers["text"], strict=True)
        ),
        title=example["title"].decode(),
    )
