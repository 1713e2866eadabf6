"""Configs by name and by path, and config files with mistakes in them."""

from pathlib import Path

import pytest

from biobert_jax.configuration import files
from biobert_jax.errors import SettingError

NER = files.root() / "ner"


@pytest.mark.parametrize(
    ("given", "folder", "expected"),
    [
        ("ncbi_disease", "ner", NER / "ncbi_disease.py"),
        ("ncbi_disease:debug", "ner", f"{NER / 'ncbi_disease.py'}:debug"),
        ("ner/s800", "", NER / "s800.py"),
        ("ner/s800", "qa", NER / "s800.py"),
        ("demo", "", files.root() / "demo.py"),
        ("elsewhere/configs/ner/s800.py:search", "ner", f"{NER / 's800.py'}:search"),
        ("bioasq_4b", "qa", files.root() / "qa" / "bioasq_4b.py"),
    ],
)
def test_names_and_paths(given, folder, expected):
    assert files.find(given, folder) == str(expected)


def test_a_file_of_ones_own_is_taken_as_it_is(tmp_path):
    own = tmp_path / "ncbi_disease.py"
    own.write_text("def get_config(variant=''): ...\n")
    assert files.find(f"{own}:debug", "ner") == f"{own}:debug"


def test_a_mistyped_name_gets_a_suggestion():
    with pytest.raises(SettingError, match=r"did you mean ncbi_disease:debug\?"):
        files.find("ncbi_disase:debug", "ner")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def get_config(variant='')\n    return 3\n", ":1: expected ':'"),
        ("import nothing_like_that\n", ":1: ModuleNotFoundError"),
        ("x = 1\n", ": has no function get_config"),
        ("def get_config(variant=''):\n    return None\n", ": get_config returned NoneType"),
        ("def get_config(variant=''):\n    return 1 / 0\n", ":2: ZeroDivisionError"),
        (
            "def get_config(variant=''):\n    raise ValueError(f'variant {variant!r}: none')\n",
            ": variant 'v': none",
        ),
        ("x = '\0'\n", "null bytes"),
    ],
)
def test_mistakes_in_a_file_name_its_line(tmp_path, text, expected):
    path = tmp_path / "wrong.py"
    path.write_text(text)
    with pytest.raises(SettingError) as raised:
        files.load(f"{path}:v")
    assert str(path) in str(raised.value)
    assert expected in str(raised.value)


def test_each_folder_of_a_command_has_names():
    assert Path(files.root()).is_dir()
    assert {"ncbi_disease", "own"} <= set(files.names("ner"))
