"""The builder on a small archive of invented sentences, put where a download would be."""

import hashlib
import zipfile

import pytest
import tensorflow_datasets as tfds

from biobert_jax.datasets import relation_builders
from biobert_jax.datasets.relation_builders import Folds, load_fold
from biobert_jax.errors import DataError


def content(fold, split):
    header = "index\tsentence\tlabel\n" if split == "test" else ""
    number = "0\t" if split == "test" else ""
    return f"{header}{number}In fold {fold} of {split}, @GENE$ causes @DISEASE$.\t1\n"


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive that TFDS finds in its folder for files put there by hand."""
    tfds.disable_progress_bar()
    folder = tmp_path / "downloads" / "manual"
    folder.mkdir(parents=True)
    digest = hashlib.sha256()
    with zipfile.ZipFile(folder / "REdata.zip", "w") as out:
        for fold in range(1, 11):
            for split in ("train", "test"):
                digest.update(content(fold, split).encode())
                out.writestr(f"REdata/GAD/{fold}/{split}.tsv", content(fold, split))
            out.writestr(f"REdata/GAD/{fold}/dev.tsv", "")
    monkeypatch.setitem(relation_builders.FOLDS, "gad", Folds("GAD", digest.hexdigest()))
    return folder / "REdata.zip"


def test_folds_are_prepared_once(archive, tmp_path):
    for fold in (1, 10):
        splits = load_fold("gad", fold, data_dir=tmp_path)
        [test] = splits["test"]
        assert test.text == f"In fold {fold} of test, @GENE$ causes @DISEASE$."
        assert (test.id, test.label, len(test.marks)) == ("0", "1", 2)
        assert test.where == f"gad, fold {fold}, test, example 0"
        assert [e.text.split(",")[0] for e in splits["train"]] == [f"In fold {fold} of train"]
        archive.unlink(missing_ok=True)  # the second fold needs it no more


def test_other_files_than_expected_are_refused(archive, tmp_path, monkeypatch):
    monkeypatch.setitem(relation_builders.FOLDS, "gad", Folds("GAD", "0" * 64))
    with pytest.raises(DataError, match=r"of the GAD files; expected 0000"):
        load_fold("gad", 1, data_dir=tmp_path)
    with pytest.raises(DataError, match=r"no files called euadr/1/train.tsv"):
        load_fold("euadr", 1, data_dir=tmp_path)


def test_a_failed_download_says_which_file_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setattr(relation_builders, "URL", "http://127.0.0.1:1/REdata.zip")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    by_hand = tmp_path / "downloads" / "manual" / "REdata.zip"
    with pytest.raises(DataError, match=f"Put a copy at {by_hand}"):
        load_fold("gad", 1, data_dir=tmp_path)


def test_there_are_ten_folds(tmp_path):
    with pytest.raises(DataError, match=r"dataset.fold is 11; expected 1 to 10 for gad"):
        load_fold("gad", 11, data_dir=tmp_path)


def test_the_real_files_are_those_that_are_expected(shared_data):
    for folds in relation_builders.FOLDS.values():
        found = relation_builders.read_archive(shared_data / "RE", folds)
        assert len(found) == 20
