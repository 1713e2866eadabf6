"""SQuAD through TFDS, with the download replaced by invented files of its form."""

import json

import pytest
import requests
import tensorflow_datasets as tfds

from biobert_jax.datasets import squad_download
from biobert_jax.datasets.qa import load_splits
from biobert_jax.datasets.squad import Answer
from biobert_jax.datasets.squad_download import load_squad
from biobert_jax.errors import DataError


@pytest.fixture
def online(monkeypatch):
    monkeypatch.setattr(squad_download, "check_connection", lambda *arguments: None)


def write(path, name):
    answers = [{"text": "gout – mostly", "answer_start": 14}] * 2
    qas = [{"id": f"{name}{n}", "question": "Of what?", "answers": answers} for n in range(3)]
    paragraph = {"context": "Corolol µ for gout – mostly.", "qas": qas}
    content = {"version": "1.1", "data": [{"title": "Corolol", "paragraphs": [paragraph]}]}
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def test_questions_come_through_tfds_unchanged(tmp_path, monkeypatch, online):
    def extract(self, urls):
        return {key: write(tmp_path / f"{key}.json", key) for key in urls}

    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", extract)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    questions = load_squad(tmp_path / "tfds")
    assert sorted(q.id for q in questions["train"]) == ["train0", "train1", "train2"]
    assert sorted(q.id for q in questions["validation"]) == ["dev0", "dev1", "dev2"]
    for question in questions["train"]:
        assert question.answers == (Answer(14, "gout – mostly"),) * 2
        answer = question.answers[0]
        assert question.context[answer.start : answer.end] == answer.text
        assert question.title == "Corolol"


def test_a_failed_download_says_what_to_do(tmp_path, monkeypatch, online):
    def refuse(self, urls):
        raise requests.ConnectionError("no route")

    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", refuse)
    with pytest.raises(DataError, match=r"failed \(no route\).*set dataset\.path"):
        load_squad(tmp_path)


def test_another_name_needs_a_folder():
    with pytest.raises(DataError, match=r"own: no dataset\.path; expected a folder with train"):
        load_splits("own")
