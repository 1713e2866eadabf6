"""Another vocabulary: shared pieces keep what they had, new ones are means, the rest stays."""

import numpy as np
import pytest

from biobert_jax.errors import CheckpointError
from biobert_jax.interop.huggingface import read_huggingface, write_huggingface
from biobert_jax.interop.vocabulary_transfer import change_vocabulary, old_pieces

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def embeddings(checkpoint) -> np.ndarray:
    return checkpoint.params["encoder"]["embeddings"]["word_embeddings"]["embedding"]


def test_shared_pieces_keep_rows_and_new_ones_get_means(checkpoint):
    old = {piece: index for index, piece in enumerate(checkpoint.vocabulary)}
    vocabulary = ["w3", *SPECIAL, "Genes", "##ss", "Gene", "Genesss", "Ω"]
    changed = change_vocabulary(checkpoint, vocabulary)
    before, after = embeddings(checkpoint), embeddings(changed)
    assert after.shape == (len(vocabulary), checkpoint.config.hidden_size)
    assert changed.config.vocab_size == len(vocabulary)
    assert changed.config.pad_token_id == 1
    assert changed.lowercase is False
    for index, piece in enumerate(vocabulary):
        if piece in old:
            np.testing.assert_array_equal(after[index], before[old[piece]])
    rows = {"Genes": ["Gene", "##s"], "##ss": ["##s", "##s"], "Ω": ["[UNK]"]}
    rows["Genesss"] = ["Gene", "##s", "##s", "##s"]
    bias = checkpoint.params["mlm"]["bias"]
    for piece, pieces in rows.items():
        ids = [old[name] for name in pieces]
        index = vocabulary.index(piece)
        np.testing.assert_allclose(after[index], before[ids].mean(axis=0), rtol=1e-6)
        np.testing.assert_allclose(
            changed.params["mlm"]["bias"][index], bias[ids].mean(), rtol=1e-6
        )


def test_the_rest_stays_and_the_original_is_untouched(checkpoint):
    before = embeddings(checkpoint).copy()
    changed = change_vocabulary(checkpoint, [*SPECIAL, "Genes"])
    assert embeddings(checkpoint).shape == (30, 12)
    np.testing.assert_array_equal(embeddings(checkpoint), before)
    for group in ("pooler", "nsp", "classifier", "span"):
        assert changed.params[group] is checkpoint.params[group]
    assert changed.params["encoder"]["layers"] is checkpoint.params["encoder"]["layers"]
    assert changed.params["mlm"]["transform"] is checkpoint.params["mlm"]["transform"]
    assert changed.labels == checkpoint.labels


def test_same_vocabulary_changes_nothing(checkpoint):
    changed = change_vocabulary(checkpoint, checkpoint.vocabulary)
    np.testing.assert_array_equal(embeddings(changed), embeddings(checkpoint))
    assert changed.config == checkpoint.config


def test_pieces_of_a_lower_cased_vocabulary():
    old = {"[UNK]": 0, "gen": 1, "##e": 2, "e": 3, "##en": 4}
    assert old_pieces("Gène", old, lowercase=True) == [1, 2]
    assert old_pieces("Gene", old, lowercase=False) == [0]
    assert old_pieces("##ene", old, lowercase=False) == [4, 2]
    assert old_pieces("##", old, lowercase=True) == [0]


def test_survives_being_written(checkpoint, tmp_path):
    changed = change_vocabulary(checkpoint, [*SPECIAL, "Genes", "gene"])
    write_huggingface(
        tmp_path,
        changed.config,
        changed.params,
        changed.vocabulary,
        changed.lowercase,
        changed.labels,
    )
    read = read_huggingface(tmp_path)
    assert read.vocabulary == changed.vocabulary
    np.testing.assert_array_equal(embeddings(read), embeddings(changed))


def test_refuses_what_is_no_vocabulary(checkpoint):
    with pytest.raises(CheckpointError, match="7 pieces names a piece twice"):
        change_vocabulary(checkpoint, [*SPECIAL, "a", "a"])
    with pytest.raises(CheckpointError, match=r"lacks \[MASK\]"):
        change_vocabulary(checkpoint, [*SPECIAL[:-1], "a"])
