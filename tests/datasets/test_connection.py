"""Without a network a download fails at once, not after TFDS's ten attempts."""

import time

import pytest

from biobert_jax.datasets import ner_builders, relation_builders, squad_download
from biobert_jax.datasets.connection import check_connection
from biobert_jax.datasets.ner import load_ner
from biobert_jax.errors import DataError

NOBODY = "http://127.0.0.1:9/archive.zip"  # the discard port: nothing listens there


def test_what_was_downloaded_needs_no_server(tmp_path):
    with pytest.raises(DataError, match=r"127\.0\.0\.1:9/archive\.zip: .*Put it there"):
        check_connection(NOBODY, "Put it there", tmp_path)
    (tmp_path / "archive.zip.INFO").write_text(f'{{"urls": ["{NOBODY}"]}}')
    check_connection(NOBODY, "Put it there", tmp_path)


def load_s800(folder):
    load_ner("s800", None, folder)


def load_gad(folder):
    relation_builders.load_fold("gad", 1, folder)


def load_squad(folder):
    squad_download.load_squad(folder)


@pytest.mark.parametrize("load", [load_s800, load_gad, load_squad])
def test_every_builder_fails_quickly(tmp_path, monkeypatch, load):
    archive = ner_builders.NERDATA._replace(url=NOBODY)
    monkeypatch.setattr(ner_builders, "NERDATA", archive)
    monkeypatch.setattr(relation_builders, "URL", NOBODY)
    monkeypatch.setattr(squad_download, "URL", "http://127.0.0.1:9/")
    began = time.monotonic()
    with pytest.raises(DataError, match=r"dataset\.path"):
        load(tmp_path)
    assert time.monotonic() - began < 60  # generous on a busy machine; TFDS alone takes 200
