"""Validation and test examples that are in train: counted in results.json, and a warning."""

import json

import pytest

from biobert_jax.configuration.classification import classification
from biobert_jax.configuration.ner import ner
from biobert_jax.configuration.qa import qa
from biobert_jax.configuration.similarity import similarity
from biobert_jax.datasets.repeated import count_repeated
from biobert_jax.datasets.synthetic.corpus import ner_splits
from biobert_jax.datasets.synthetic.files import write_ner
from biobert_jax.launcher.start import start
from biobert_jax.tasks import classification as classification_task
from biobert_jax.tasks import ner as ner_task
from biobert_jax.tasks import similarity as similarity_task
from biobert_jax.tasks.qa import prepare as qa_task
from tests.support.models import tiny_settings


def test_each_split_is_compared_with_train(caplog):
    splits = {"train": ["a", "b"], "validation": ["c"], "test": ["b", "b", "d"]}
    assert count_repeated(splits, "sentences") == {"validation": 0, "test": 2}
    assert caplog.messages == ["2 of 3 test sentences occur in train too"]


def write_sentences(folder):
    write_ner(folder, ner_splits(seed=1, train=30, devel=10, test=10))
    (folder / "test.tsv").write_text((folder / "train.tsv").read_text())


def write_lines(folder):
    lines = [f"fever and fever {i}\t{'yes' if i % 2 else 'no'}\n" for i in range(8)]
    for split in ("train", "test"):
        (folder / f"{split}.tsv").write_text("text\tlabel\n" + "".join(lines))
    (folder / "dev.tsv").write_text("text\tlabel\nx\tyes\n")


def write_pairs(folder):
    lines = [f"fever {i}\tfever and fever {i}\t{i % 5}\n" for i in range(8)]
    for split in ("train", "test"):
        (folder / f"{split}.tsv").write_text("text\tsecond\tscore\n" + "".join(lines))


def write_questions(folder):
    asked = [
        {"id": str(i), "question": f"what {i}?", "answers": [{"text": "in", "answer_start": 0}]}
        for i in range(4)
    ]
    data = {
        "data": [{"title": "t", "paragraphs": [{"context": "in vitro and in vivo", "qas": asked}]}]
    }
    for split in ("train", "dev", "test"):
        (folder / f"{split}.json").write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("config", "task", "write", "name"),
    [
        (lambda: ner("own", "debug"), ner_task, write_sentences, "repeated_sentences"),
        (
            lambda: classification("own", "debug"),
            *(classification_task, write_lines, "repeated_texts"),
        ),
        (lambda: similarity("own", "debug"), similarity_task, write_pairs, "repeated_texts"),
        (lambda: qa("own", "span", "debug"), qa_task, write_questions, "repeated_questions"),
    ],
)
def test_every_task_counts_them(config, task, write, name, tmp_path, caplog):
    write(tmp_path)
    given = config()
    tiny = tiny_settings(num_hidden_layers=1, max_position_embeddings=512)
    given.update_from_flattened_dict({"vocab_size": 200} | tiny)
    given.dataset.path = str(tmp_path)
    given.dataset.limit = 0
    prepared = task.prepare(given, lambda texts: start(given, texts))
    repeated = prepared.complete({"validation": {}})["data"][name]
    # Questions of SQuAD's form have no test split.
    assert repeated.get("test", repeated.get("validation", 0)) > 0
    assert any("occur in train too" in message for message in caplog.messages)
