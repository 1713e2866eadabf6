"""Vocabulary training: reproducible, within its size; writing; and the report on a fit."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from biobert_jax.errors import DataError, WriteError
from biobert_jax.text.wordpiece import SPECIAL_TOKENS, WordPieceTokenizer, load_vocabulary
from biobert_jax.text.wordpiece_trainer import (
    count_words,
    train_vocabulary,
    vocabulary_report,
    write_vocabulary,
)

STEMS = ["nephr", "hepat", "cardi", "neur", "dermat", "gastr", "arthr", "oste", "my", "encephal"]
ENDINGS = ["itis", "oma", "opathy", "algia", "osis", "ectomy", "ogenesis"]
WORDS = [stem + ending for stem in STEMS for ending in ENDINGS]


def sentences(seed: int, count: int = 200) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.choices(WORDS, k=8)).capitalize() + " (p < 0.05)." for _ in range(count)]


def test_special_tokens_then_letters_then_pieces():
    vocabulary = train_vocabulary(sentences(0), size=150, lowercase=True)
    assert len(vocabulary) == len(set(vocabulary)) == 150
    assert tuple(vocabulary[:5]) == SPECIAL_TOKENS
    assert {"##itis", "##oma"} <= set(vocabulary)
    assert all(token == token.lower() for token in vocabulary[5:])
    assert any(t.isupper() for t in train_vocabulary(sentences(0), 150, lowercase=False)[5:])


def test_the_order_of_the_texts_does_not_matter():
    texts = sentences(1)
    shuffled = random.Random(0).sample(texts, len(texts))
    assert train_vocabulary(texts, 150, False) == train_vocabulary(shuffled, 150, False)


def test_every_process_trains_the_same_vocabulary():
    # Ties are many here, and the library's hash maps are seeded anew in every process.
    program = (
        "from biobert_jax.text.wordpiece_trainer import train_vocabulary\n"
        f"words = {WORDS!r}\n"
        "print(train_vocabulary([' '.join(words[i:]) for i in range(60)], 200, True))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            check=True,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in range(3)
    ]
    assert runs[0] == runs[1] == runs[2]
    assert "##itis" in runs[0]


@pytest.mark.parametrize("size", [7, 20, 60, 100])
def test_the_size_is_never_exceeded(size: int):
    vocabulary = train_vocabulary(sentences(2), size, lowercase=False)
    assert len(vocabulary) <= size
    assert len(vocabulary) > size // 2


def test_rare_letters_and_pairs_are_not_learnt():
    texts = ["kinase kinase kinase Ψ", "k i n a s e"]
    assert "Ψ" not in train_vocabulary(texts, 50, lowercase=False)
    assert "kinase" in train_vocabulary(texts, 50, lowercase=False)
    assert "kinase" not in train_vocabulary(texts, 50, lowercase=False, min_frequency=4)
    assert "Ψ" in train_vocabulary(texts, 50, lowercase=False, min_frequency=1)


def test_words_are_those_of_the_tokenizer():
    counts = count_words(["IL-2, IL-2", "\tnaïve\u200b\u2028Naïve"], lowercase=True)
    assert counts == {"il": 2, "-": 2, "2": 2, ",": 1, "naive": 2}


def test_nothing_to_learn_from():
    with pytest.raises(DataError, match="0 words to train a vocabulary from"):
        train_vocabulary(["", " \n"], 100, lowercase=True)
    with pytest.raises(ValueError, match="size is 6, expected at least 7"):
        train_vocabulary(["a"], 6, lowercase=True)


def test_written_vocabularies_are_read_back(tmp_path: Path):
    path = tmp_path / "new" / "vocab.txt"
    tokens = [*SPECIAL_TOKENS, "a", "##é", "中"]
    write_vocabulary(path, tokens)
    assert list(load_vocabulary(path)) == tokens
    assert path.read_bytes().endswith("中\n".encode())
    write_vocabulary(path, tokens[:-1])
    assert list(load_vocabulary(path)) == tokens[:-1]
    assert [entry.name for entry in path.parent.iterdir()] == ["vocab.txt"]


def test_a_failed_write_leaves_the_previous_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "vocab.txt"
    write_vocabulary(path, [*SPECIAL_TOKENS, "a"])

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WriteError, match="No space left"):
        write_vocabulary(path, [*SPECIAL_TOKENS, "b"])
    assert list(load_vocabulary(path))[-1] == "a"
    assert [entry.name for entry in tmp_path.iterdir()] == ["vocab.txt"]


@pytest.mark.parametrize("token", ["", "a\nb", " a"])
def test_tokens_that_a_line_cannot_hold_are_refused(tmp_path: Path, token: str):
    with pytest.raises(ValueError, match="token 5 is"):
        write_vocabulary(tmp_path / "vocab.txt", [*SPECIAL_TOKENS, token])


def test_report():
    tokenizer = WordPieceTokenizer.from_vocabulary(
        [*SPECIAL_TOKENS, "kin", "##ase", "a", "-"], lowercase=True
    )
    report = vocabulary_report(tokenizer, ["Kinase-a a", "", "Xyz a", "Xyz\u00e9a"])
    assert report == {
        "words": 7,
        "pieces": 8,
        "pieces_per_word": 8 / 7,
        "unk_rate": 2 / 7,
        "most_frequent_unknown": [("Xyz", 1), ("Xyzéa", 1)],
    }
    assert vocabulary_report(tokenizer, [])["unk_rate"] == 0.0


def test_a_trained_vocabulary_fits_unseen_words_of_its_language():
    tokenizer = WordPieceTokenizer.from_vocabulary(train_vocabulary(sentences(3), 150, True), True)
    report = vocabulary_report(tokenizer, sentences(4))
    assert report["unk_rate"] == 0.0
    assert 1.0 < report["pieces_per_word"] < 2.5
