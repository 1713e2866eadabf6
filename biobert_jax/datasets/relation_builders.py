"""The TFDS builder of GAD and EU-ADR; TensorFlow is not needed.

Both come out of one archive, the one that BioBERT's authors distribute (Bravo et al. 2015, van
Mulligen et al. 2012, in their ten folds). ChemProt has no builder: its archive is read as it is.
"""

import hashlib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import tensorflow_datasets as tfds
from requests import RequestException

from biobert_jax.datasets.archive import read_member
from biobert_jax.datasets.connection import check_connection
from biobert_jax.datasets.relation_files import RelationExample, parse_relations
from biobert_jax.errors import DataError, at
from biobert_jax.text.entity_marking import find_marks

FILENAME = "REdata.zip"
# Address: README of dmis-lab/biobert.
URL = "https://drive.google.com/uc?export=download&id=1-jDKGcXREb2X9xTFnuiJ36PvsqoyHWcw"
COUNT = 10


class Folds(NamedTuple):
    """Where a set is in the archive, and how its files are recognised.

    Attributes:
      folder: its folder there.
      sha256: of the bytes of 1/train.tsv, 1/test.tsv, 2/train.tsv and so on, one after the other.
    """

    folder: str
    sha256: str


FOLDS = {
    "gad": Folds("GAD", "98953e8b4a6bcd5604f47e5995ca25710048c6133ea82ca3a78ae6714c0f8ac3"),
    "euadr": Folds("euadr", "4b06bbc03d799b7bcaef5c92d7f62fe2861e0c926a3c46aab9a363cc1f98f711"),
}


class BiomedicalRelations(tfds.core.GeneratorBasedBuilder):
    """GAD and EU-ADR; splits are called fold_1_train, fold_1_test and so on."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS: ClassVar = [tfds.core.BuilderConfig(name=name) for name in FOLDS]

    @property
    def url_infos(self) -> dict[str, Any]:
        """None: what is read is checked instead. TFDS would look for a checksums.tsv beside us."""
        return {}

    def _info(self) -> tfds.core.DatasetInfo:
        text = tfds.features.Text()
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict({"id": text, "text": text, "label": text}),
            homepage="https://github.com/dmis-lab/biobert",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        config: Any = self.builder_config
        found = read_archive(_download(dl_manager), FOLDS[config.name])
        return {split: self._generate_examples(examples) for split, examples in found.items()}

    def _generate_examples(self, examples: list[RelationExample]) -> Iterator[tuple[int, dict]]:
        for number, example in enumerate(examples):
            yield number, {"id": example.id, "text": example.text, "label": example.label}


def load_fold(
    name: str, fold: int, data_dir: str | Path | None = None
) -> dict[str, list[RelationExample]]:
    """Returns `train` and `test` of a fold, downloaded and prepared on first use.

    Args:
      name: `gad` or `euadr`.
      fold: from 1 to 10.
      data_dir: where TFDS keeps its data, ~/tensorflow_datasets by default.

    Raises:
      DataError: no such fold; the download fails, or is not what it should be.
    """
    if not 1 <= fold <= COUNT:
        raise DataError(f"dataset.fold is {fold}; expected 1 to {COUNT} for {name}")
    builder = BiomedicalRelations(config=name, data_dir=data_dir, file_format="array_record")
    builder.download_and_prepare()
    read: Any = builder.as_data_source  # its signature is lost in TFDS' decorators
    splits = {}
    for split in ("train", "test"):
        source = read(split=f"fold_{fold}_{split}")
        splits[split] = [
            _example(record, f"{name}, fold {fold}, {split}, example {number}")
            for number, record in enumerate(source)
        ]
    return splits


def read_archive(path: Path, folds: Folds) -> dict[str, list[RelationExample]]:
    """Reads all folds of a set from the archive, which stays zipped.

    Raises:
      DataError: a file is missing, or the files are not those that `folds` was made of.
    """
    digest = hashlib.sha256()
    examples = {}
    for fold in range(1, COUNT + 1):
        for split in ("train", "test"):
            where, text = read_member(path, [f"{folds.folder}/{fold}/{split}.tsv"])
            digest.update(text.encode())
            examples[f"fold_{fold}_{split}"] = parse_relations(text, where)
    if digest.hexdigest() != folds.sha256:
        raise DataError(
            f"{at(path)}: found sha256 {digest.hexdigest()} of the {folds.folder} files; expected "
            f"{folds.sha256}. Remove this file and try again; if the archive has really changed, "
            "unpack a copy that you trust and set dataset.path to its folder"
        )
    return examples


def _download(dl_manager: tfds.download.DownloadManager) -> Path:
    """Returns the path of the archive, downloaded or put there by hand."""
    # The public property wants it to be filled.
    by_hand = Path(dl_manager._manual_dir or "") / FILENAME
    if by_hand.is_file():
        return by_hand
    check_connection(
        URL,
        f"Put a copy at {by_hand}, or set dataset.path to a folder with folders 1 to 10, each with "
        "train.tsv and test.tsv",
        Path(dl_manager._download_dir),
    )
    try:
        # Not download_and_extract, which needs TensorFlow.
        path = Path(dl_manager.download(URL))
    # Google Drive answers some requests with a page; TFDS then fails in the last two ways.
    except (tfds.download.DownloadError, RequestException, ImportError, ValueError) as error:
        raise DataError(_MISSING.format(problem=error, by_hand=by_hand)) from error
    if not zipfile.is_zipfile(path):
        problem = f"{path}, which came from there, is no zip; remove it"
        raise DataError(_MISSING.format(problem=problem, by_hand=by_hand))
    return path


_MISSING = (
    f"{FILENAME}: cannot be downloaded from {URL} ({{problem}}); expected the archive of BioBERT's "
    "relation extraction sets. Put a copy at {by_hand}, or set dataset.path to a folder with "
    "folders 1 to 10, each with train.tsv and test.tsv"
)


def _example(record: dict, where: str) -> RelationExample:
    text = record["text"].decode()
    id_, label = record["id"].decode(), record["label"].decode()
    return RelationExample(id_, text, label, find_marks(text), where)
