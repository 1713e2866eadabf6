"""Shards: what is written is read back, by any process, and damage is named."""

import json
import multiprocessing
import pickle

import numpy as np
import pytest

from biobert_jax.corpora.shards import (
    TokenDocument,
    decode_record,
    encode_record,
    id_type,
    shard_name,
    write_shard,
)
from biobert_jax.corpora.store import ShardedCorpus, write_corpus
from biobert_jax.errors import DataError
from biobert_jax.files import sha256_of

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij"]


def documents(count: int, seed: int = 0) -> list[TokenDocument]:
    random = np.random.default_rng(seed)
    made = []
    for number in range(count):
        ids = random.integers(1, len(VOCABULARY), random.integers(1, 40)).astype(np.int32)
        inner = random.permutation(np.arange(1, len(ids)))[: len(ids) // 8]
        starts = np.concatenate([[0], np.sort(inner)]).astype(np.int32)
        made.append(TokenDocument(f"PMC{seed}-{number}é", ids, starts, int(len(ids) // 2)))
    return made


def assert_same(found: TokenDocument, expected: TokenDocument) -> None:
    assert (found.id, found.words) == (expected.id, expected.words)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.sentence_starts, expected.sentence_starts)
    assert found.ids.dtype == found.sentence_starts.dtype == np.int32


@pytest.mark.parametrize("vocab_size", [2**16, 2**16 + 1])
def test_record_round_trip_at_the_edge_of_uint16(vocab_size):
    ids = np.array([0, vocab_size - 1], np.int32)
    document = TokenDocument("7", ids, np.array([0, 1], np.int32), 2)
    dtype = id_type(vocab_size)
    assert dtype.itemsize == (2 if vocab_size <= 2**16 else 4)
    assert_same(decode_record(encode_record(document, dtype), dtype), document)


def test_corpus_gives_back_what_was_written(tmp_path):
    shards = [documents(5, 1), [], documents(7, 2)]
    corpus = write_corpus(tmp_path, shards, VOCABULARY, lowercase=True)
    flat = [document for shard in shards for document in shard]
    assert len(corpus) == 12
    assert corpus.vocabulary == VOCABULARY
    assert corpus.lowercase is True
    for index in (11, 0, 5, 4, 6):
        assert_same(corpus[index], flat[index])
    for found, expected in zip(corpus, flat, strict=True):
        assert_same(found, expected)
    assert corpus.words.tolist() == [document.words for document in flat]
    unknown = sum(int((document.ids == 1).sum()) for document in flat)
    manifest = corpus.manifest
    assert unknown > 0
    assert manifest["unknown_tokens"] == unknown
    assert manifest["tokens"] == sum(len(document.ids) for document in flat)
    assert manifest["sentences"] == sum(len(document.sentence_starts) for document in flat)
    assert manifest["unknown_share"] == pytest.approx(unknown / manifest["tokens"])
    with pytest.raises(IndexError):
        corpus[12]
    with pytest.raises(IndexError):
        corpus[-1]


def test_shard_bytes_depend_on_the_documents_only(tmp_path):
    first = write_shard(tmp_path / "a", documents(50), VOCABULARY)
    again = write_shard(tmp_path / "b", iter(documents(50)), VOCABULARY)
    other = write_shard(tmp_path / "c", documents(50)[::-1], VOCABULARY)
    assert first.sha256 == again.sha256 == sha256_of(tmp_path / "b")
    assert other.sha256 != first.sha256


def _ids_at(corpus: ShardedCorpus, indices: list[int]) -> list[str]:
    return [corpus[index].id for index in indices]


def test_pickles_after_it_has_been_read_from(tmp_path):
    corpus = write_corpus(tmp_path, [documents(9)], VOCABULARY, lowercase=False)
    expected = [corpus[3].id, corpus[8].id]
    assert _ids_at(pickle.loads(pickle.dumps(corpus)), [3, 8]) == expected
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_ids_at, (corpus, [3, 8])) == expected


def test_failure_leaves_no_shard(tmp_path):
    good = documents(3)
    bad = TokenDocument("x", np.array([len(VOCABULARY)], np.int32), np.zeros(1, np.int32), 1)
    with pytest.raises(ValueError, match="document 'x': ids from 15 to 15, expected 0 to 14"):
        write_shard(tmp_path / "shard", [*good, bad], VOCABULARY)
    empty = TokenDocument("y", np.zeros(0, np.int32), np.zeros(1, np.int32), 1)
    with pytest.raises(ValueError, match="document 'y': 0 ids"):
        write_shard(tmp_path / "shard", [*good, empty], VOCABULARY)
    assert list(tmp_path.iterdir()) == []


def test_damage_is_named(tmp_path):
    write_corpus(tmp_path, [documents(9), documents(9, 1)], VOCABULARY, lowercase=False).verify()
    shard = tmp_path / shard_name(1, 2)
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    with pytest.raises(DataError, match=r"shard-00001-of-00002.*sha256"):
        ShardedCorpus(tmp_path).verify()
    shard.write_bytes(data[:-1])
    with pytest.raises(DataError, match=r"shard-00001-of-00002.*as the manifest says"):
        ShardedCorpus(tmp_path)
    shard.unlink()
    with pytest.raises(DataError, match=r"shard-00001-of-00002.*no such file"):
        ShardedCorpus(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"format": "other"}))
    with pytest.raises(DataError, match=r"'other', expected 'biobert_jax\.corpus/1'"):
        ShardedCorpus(tmp_path)
    (tmp_path / "manifest.json").unlink()
    with pytest.raises(DataError, match="corpus build"):
        ShardedCorpus(tmp_path)
