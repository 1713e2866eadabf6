"""TFDS builders of the nine NER sets; TensorFlow is not needed.

Eight come out of one archive, the one that BioBERT's authors distribute: the corpora of
https://github.com/cambridgeltl/MTL-Bioinformatics-2016 (Crichton et al. 2017, CC BY 4.0), JNLPBA
and Species-800, in BIO tags without types. 2010 i2b2/VA has a licence that forbids passing it on.
"""

import dataclasses
import logging
import os
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow_datasets as tfds
from requests import RequestException
from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

from biobert_jax.datasets.conll import Sentence, read_conll
from biobert_jax.datasets.connection import check_connection
from biobert_jax.datasets.i2b2 import read_i2b2_folder
from biobert_jax.datasets.spans import spans_of_tags, tags_of_spans
from biobert_jax.errors import DataError, at

_log = logging.getLogger(__name__)


class Archive(NamedTuple):
    """A file to download, and how it is recognised."""

    url: str
    filename: str
    size: int  # bytes
    sha256: str


# Address: README of dmis-lab/biobert. Size and checksum: as recorded in the dataset_infos.json of
# "linnaeus" and of "species_800" in huggingface/datasets, which both download this file.
NERDATA = Archive(
    url="https://drive.google.com/uc?export=download&id=1OletxmPYNkz2ltOr9pyT0b0iBtUWxslh",
    filename="NERdata.zip",
    size=18_204_624,
    sha256="30522c752fd90e6da05f117a52da13174b246e4980e46840e6e1737dc67e1d27",
)

# The folders of each set in the archive, by the entity type that their bare tags are given.
FOLDERS: Mapping[str, Mapping[str, str]] = {
    "ncbi_disease": {"": "NCBI-disease"},
    "bc5cdr_disease": {"": "BC5CDR-disease"},
    "bc5cdr_chem": {"": "BC5CDR-chem"},
    "bc5cdr": {"Chemical": "BC5CDR-chem", "Disease": "BC5CDR-disease"},
    "bc4chemd": {"": "BC4CHEMD"},
    "bc2gm": {"": "BC2GM"},
    "jnlpba": {"": "JNLPBA"},
    "linnaeus": {"": "linnaeus"},
    "s800": {"": "s800"},
}

# Ours and TFDS's names.
SPLITS = {"train": "train", "devel": "validation", "test": "test"}

FEATURES = tfds.features.FeaturesDict(
    {
        "words": tfds.features.Sequence(tfds.features.Text()),
        "tags": tfds.features.Sequence(tfds.features.Text()),
        "line": tfds.features.Scalar(np.int32),
    }
)


@dataclasses.dataclass(kw_only=True)
class NerConfig(tfds.core.BuilderConfig):
    """One set of the archive.

    Attributes:
      folders: its folders there, by the entity type that their tags are given ("": none).
    """

    folders: Mapping[str, str]


class BiomedicalNer(tfds.core.GeneratorBasedBuilder):
    """The eight public sets, and BC5CDR's two in one as "bc5cdr"."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS: ClassVar = [NerConfig(name=name, folders=FOLDERS[name]) for name in FOLDERS]

    @property
    def url_infos(self) -> dict[str, Any]:
        """What the download must be; TFDS would look for a checksums.tsv beside this module."""
        parts: Any = tfds  # imported as they are asked for
        size = parts.core.utils.Size(NERDATA.size)
        info = parts.download.checksums.UrlInfo(size, NERDATA.sha256, NERDATA.filename)
        return {NERDATA.url: info}

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=FEATURES,
            homepage="https://github.com/dmis-lab/biobert",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        config: Any = self.builder_config
        with zipfile.ZipFile(_download(dl_manager, NERDATA)) as archive:
            splits = {
                theirs: _read_split(archive, ours, config.folders)
                for ours, theirs in SPLITS.items()
            }
        return {split: self._generate_examples(found) for split, found in splits.items()}

    def _generate_examples(self, sentences: list[Sentence]) -> Iterator[tuple[int, dict]]:
        return _examples(sentences)


class I2b2Va2010(tfds.core.GeneratorBasedBuilder):
    """The concepts of 2010 i2b2/VA, from the official files."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Ask for the 2010 i2b2/VA challenge data at https://portal.dbmi.hms.harvard.edu (n2c2 NLP "
        "research data sets; a data use agreement is needed), and unpack "
        "concept_assertion_relation_training_data.tar.gz, test_data.tar.gz and "
        "reference_standard_for_test_data.tar.gz side by side in this folder."
    )

    def _info(self) -> tfds.core.DatasetInfo:
        return self.dataset_info_from_configs(
            features=FEATURES,
            homepage="https://portal.dbmi.hms.harvard.edu",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        try:
            folder = dl_manager.manual_dir
        except AssertionError:  # how TFDS says that there is nothing
            raise DataError(
                f"{at(_manual_dir(dl_manager))}: found no files; expected the official files of "
                "2010 i2b2/VA, which cannot be downloaded freely. "
                f"{self.MANUAL_DOWNLOAD_INSTRUCTIONS}"
            ) from None
        found = read_i2b2_folder(os.fspath(folder))
        return {theirs: self._generate_examples(found[ours]) for ours, theirs in SPLITS.items()}

    def _generate_examples(self, sentences: list[Sentence]) -> Iterator[tuple[int, dict]]:
        return _examples(sentences)


def merge(by_type: Mapping[str, list[Sentence]]) -> list[Sentence]:
    """Joins the tags of several annotations of the same sentences.

    Where entities of two types overlap, `tags_of_spans` keeps the longer, and the log says how many
    were left out (none in BC5CDR).

    Args:
      by_type: for each entity type, the sentences with its bare tags.

    Raises:
      ValueError: the sentences are not the same.
    """
    merged, left_out = [], 0
    for versions in zip(*by_type.values(), strict=True):
        first = versions[0]
        if any(version.words != first.words for version in versions):
            raise ValueError(f"the sentences at line {first.line} have different words")
        spans = [
            span._replace(type=type_)
            for type_, version in zip(by_type, versions, strict=True)
            for span in spans_of_tags(version.tags)
        ]
        tags, dropped = tags_of_spans(len(first.words), spans)
        left_out += len(dropped)
        merged.append(first._replace(tags=tuple(tags)))
    if left_out:
        _log.warning("%d entities overlap longer ones and were left out", left_out)
    return merged


def _download(dl_manager: tfds.download.DownloadManager, archive: Archive) -> Path:
    """Returns the path of the archive, downloaded or put there by hand, its checksum verified."""
    by_hand = _manual_dir(dl_manager) / archive.filename
    if not by_hand.is_file():
        check_connection(
            archive.url,
            f"Put a copy at {by_hand}, or set dataset.path to a folder with train.tsv, devel.tsv "
            "and test.tsv",
            Path(dl_manager._download_dir),
        )
    try:
        # Not download_and_extract, which needs TensorFlow.
        return Path(dl_manager.download(archive.url))
    except NonMatchingChecksumError as error:
        found = re.findall(r"checksum='(\w+)'", str(error))[-1:]
        raise DataError(
            f"{archive.filename}: found sha256 {', '.join(found)}, from {archive.url} or "
            f"{by_hand}; expected {archive.sha256}. Try again; if the archive has really changed, "
            "unpack a copy that you trust and set dataset.path to the folder of this set."
        ) from error
    # Google Drive answers some requests with a page; TFDS then fails in the last two ways.
    except (tfds.download.DownloadError, RequestException, ImportError, ValueError) as error:
        raise DataError(
            f"{archive.filename}: cannot be downloaded from {archive.url} ({error}); expected a "
            f"file of {archive.size:,} bytes. Put a copy at {by_hand}, or set dataset.path to a "
            "folder with train.tsv, devel.tsv and test.tsv."
        ) from error


def _manual_dir(dl_manager: tfds.download.DownloadManager) -> Path:
    """Returns the folder for files put there by hand; the public property wants it to be filled."""
    return Path(dl_manager._manual_dir or "")


def _read_split(archive: zipfile.ZipFile, split: str, folders: Mapping[str, str]) -> list[Sentence]:
    by_type = {}
    for type_, folder in folders.items():
        member = f"{folder}/{split}.tsv"
        found = [name for name in archive.namelist() if f"/{name}".endswith(f"/{member}")]
        if not found:
            where = at(archive.filename or NERDATA.filename)
            raise DataError(
                f"{where}: found no {member} in {NERDATA.filename}; expected the "
                f"archive of {NERDATA.url}. Put the right one there, or set dataset.path."
            )
        with tempfile.TemporaryDirectory() as scratch:
            by_type[type_] = read_conll(archive.extract(found[0], scratch)).sentences
    return by_type[""] if "" in by_type else merge(by_type)


def _examples(sentences: list[Sentence]) -> Iterator[tuple[int, dict]]:
    for number, sentence in enumerate(sentences):
        yield number, {"words": sentence.words, "tags": sentence.tags, "line": sentence.line}
