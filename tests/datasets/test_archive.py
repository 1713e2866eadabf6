"""Files are read out of archives by name, and out of nothing else."""

import zipfile

import pytest

from biobert_jax.datasets.archive import read_member
from biobert_jax.errors import DataError


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("x/1/train.tsv", "\ufeffone β")
        out.writestr("x/10/train.tsv", "ten")
        out.writestr("../../outside.tsv", "never written")
        out.writestr("latin.tsv", "a\nb\nc \xe9".encode("latin-1"))
    return path


def test_folders_tell_files_of_one_name_apart(archive, tmp_path):
    assert read_member(archive, ["x/1/train.tsv"]) == (f"{archive}!x/1/train.tsv", "one β")
    assert read_member(archive, ["none.tsv", "10/train.tsv"])[1] == "ten"
    assert read_member(archive, ["outside.tsv"])[1] == "never written"
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]
    assert not (tmp_path.parent.parent / "outside.tsv").exists()


def test_what_is_wrong_is_said(archive, tmp_path):
    with pytest.raises(DataError, match=r"found 2 files called train.tsv, .*x/1/train.tsv"):
        read_member(archive, ["train.tsv"])
    with pytest.raises(DataError, match=r"latin.tsv:3: byte .*0xe9.* is not UTF-8"):
        read_member(archive, ["latin.tsv"])
    with pytest.raises(DataError, match="no such file or folder"):
        read_member(tmp_path / "b.zip", ["train.tsv"])
