"""Pre-training takes the vocabulary of its shards, and no other."""

from types import SimpleNamespace

import ml_collections
import pytest

from biobert_jax.errors import SettingError
from biobert_jax.tasks.pretraining.prepare import _take_vocabulary

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b"]


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES) + "\n")
    return SimpleNamespace(vocabulary=PIECES, lowercase=True)


def settings(vocab="", lowercase=False):
    return ml_collections.ConfigDict({"vocab": str(vocab), "lowercase": lowercase})


def test_the_vocabulary_of_the_shards_is_taken(corpus, tmp_path):
    config = settings()
    _take_vocabulary(config, corpus, tmp_path)
    assert (config.vocab, config.lowercase) == (str(tmp_path / "vocab.txt"), True)


def test_the_same_vocabulary_may_be_named(corpus, tmp_path):
    same = tmp_path / "same.txt"
    same.write_text("\n".join(PIECES) + "\n")
    _take_vocabulary(settings(same), corpus, tmp_path)


def test_another_vocabulary_is_refused(corpus, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("\n".join([*PIECES, "c"]) + "\n")
    with pytest.raises(SettingError, match=r"other.txt is not the vocabulary of"):
        _take_vocabulary(settings(other), corpus, tmp_path)
    corpus.lowercase = False
    with pytest.raises(SettingError, match=r"config.lowercase is True"):
        _take_vocabulary(settings(lowercase=True), corpus, tmp_path)
