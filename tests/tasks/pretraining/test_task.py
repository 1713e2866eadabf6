"""The stream of rows: determinism, mixing, subsets, and what evaluation counts."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from biobert_jax.corpora.mixture import MemoryCorpus
from biobert_jax.corpora.shards import TokenDocument
from biobert_jax.errors import DataError
from biobert_jax.input import row_streams as streams
from biobert_jax.input.loader import Packing
from biobert_jax.models.heads import PretrainingModel
from biobert_jax.tasks.pretraining.instances import IS_RANDOM, InstanceOptions, Pieces
from biobert_jax.tasks.pretraining.task import Blocks, PretrainingTask, Subset, subset
from tests.support.models import tiny_config

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(395))]
OPTIONS = InstanceOptions(max_length=64, max_predictions=10)


def corpus(documents=150, low=5, high=400, seed=0):
    rng = np.random.default_rng(seed)
    out = []
    for number in range(documents):
        lengths = rng.integers(3, 20, rng.integers(1, 9))
        ids = rng.integers(low, high, lengths.sum()).astype(np.int32)
        starts = np.cumsum([0, *lengths[:-1]]).astype(np.int32)
        out.append(TokenDocument(str(number), ids, starts, int(lengths.sum())))
    return MemoryCorpus(out)


def task(parts=None, seed=0, names=()):
    parts = parts or [subset(corpus(), held_out=20)]
    config = tiny_config(400, num_hidden_layers=1)
    return PretrainingTask(
        [a for a, _ in parts],
        [b for _, b in parts],
        PretrainingModel(config),
        OPTIONS,
        VOCABULARY,
        row_length=64,
        max_sequences=4,
        card={},
        seed=seed,
        names=names,
    )


def take(rows, count, workers=0):
    iterator = streams.batches(rows, len(rows.own), workers)
    return [next(iterator) for _ in range(count)]


def same(a, b):
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_batches_do_not_depend_on_processes():
    whole = take(task().stream(Packing(64, 4), 4, range(4)), 30)
    first = take(task().stream(Packing(64, 4), 4, range(2)), 30)
    second = take(task().stream(Packing(64, 4), 4, range(2, 4)), 30)
    for batch, a, b in zip(whole, first, second, strict=True):
        same(batch, {name: np.concatenate([a[name], b[name]]) for name in a})


@pytest.mark.slow
def test_batches_do_not_depend_on_workers():
    rows = task().stream(Packing(64, 4), 4, range(4))
    for a, b in zip(take(rows, 12), take(rows, 12, workers=4), strict=True):
        same(a, b)


def test_a_stream_continues_where_it_was():
    rows = task().stream(Packing(64, 4), 4, range(4))
    iterator = streams.batches(rows, 4)
    for _ in range(17):
        next(iterator)
    state = iterator.get_state()
    expected = [next(iterator) for _ in range(10)]
    again = streams.batches(task().stream(Packing(64, 4), 4, range(4)), 4)
    again.set_state(state)
    for a in expected:
        same(a, next(again))


@pytest.mark.slow
def test_a_stream_continues_with_another_number_of_workers():
    rows = task().stream(Packing(64, 4), 4, range(4))
    iterator = streams.batches(rows, 4, workers=2)
    for _ in range(9):
        next(iterator)
    state = iterator.get_state()
    iterator.close()
    again = streams.batches(rows, 4)
    again.set_state(state)
    for a in take(rows, 14)[9:]:
        same(a, next(again))


def test_a_position_is_that_of_all_streams():
    with pytest.raises(ValueError, match="2 streams, expected 4"):
        streams.batches(task().stream(Packing(64, 4), 4, range(4)), 4).set_state(
            {"places": [[0, 0], [1, 0]]}
        )


def test_every_epoch_is_different_and_complete():
    class OneBlock(Subset):
        def documents_for(self, pieces):
            return len(self.documents)

    chosen = OneBlock(corpus(64), np.arange(64))
    blocks = Blocks(
        [chosen], InstanceOptions(max_length=512, max_predictions=77), Pieces.of(VOCABULARY), 0
    )
    first, second = list(blocks(0)), list(blocks(1))
    assert not all(
        np.array_equal(a["input_ids"], b["input_ids"]) for a, b in zip(first, second, strict=False)
    )
    for block in (first, second):
        pieces = sum(len(e["input_ids"]) for e in block)
        assert pieces >= sum(len(d.ids) for d in chosen.corpus.documents)
    same_again = list(blocks(0))
    for a, b in zip(first, same_again, strict=True):
        same(a, b)


def test_corpora_are_mixed_by_weight():
    low = Subset(corpus(80, 5, 100), np.arange(80), weight=1.0)
    high = Subset(corpus(80, 200, 400, seed=1), np.arange(80), weight=3.0)
    blocks = Blocks([low, high], OPTIONS, Pieces.of(VOCABULARY), 0)
    share = np.bincount(blocks._pattern) / Blocks.PERIOD
    np.testing.assert_allclose(share, [0.25, 0.75], atol=0.001)
    for number in range(8):
        expected = blocks._pattern[number]
        real = np.concatenate([e["masked_lm_ids"] for e in blocks(number)])
        assert ((real >= 200).mean() > 0.5) == bool(expected)


def test_corpora_are_mixed_by_text_however_long_their_documents_are():
    rng = np.random.default_rng(0)

    def documents(sentences, count, low):
        ids = [rng.integers(low, low + 100, 12 * sentences).astype(np.int32) for _ in range(count)]
        starts = 12 * np.arange(sentences, dtype=np.int32)
        out = [TokenDocument(str(n), i, starts, 8 * sentences) for n, i in enumerate(ids)]
        return Subset(MemoryCorpus(out), np.arange(count))

    blocks = Blocks(
        [documents(4, 200, 100), documents(80, 20, 200)], OPTIONS, Pieces.of(VOCABULARY), 0
    )
    pieces = [sum(len(e["input_ids"]) for e in blocks(number)) for number in range(12)]
    of_kind = [np.mean([n for n, k in zip(pieces, blocks._pattern, strict=False) if k == kind])
               for kind in (0, 1)]  # fmt: skip
    # A document has 20 times as much; short ones get more from others, as random second segments.
    assert 0.5 < of_kind[1] / of_kind[0] < 1.5


def test_smaller_subsets_are_contained_in_larger_ones():
    whole = corpus(150)
    small, held = subset(whole, held_out=20, max_words=2000)
    large, held_too = subset(whole, held_out=20, max_words=4000)
    assert set(small.documents) < set(large.documents)
    np.testing.assert_array_equal(held.documents, held_too.documents)
    assert not set(large.documents) & set(held.documents)
    words = whole.words[small.documents].astype(int)
    assert words[:-1].sum() < 2000 <= words.sum()


def test_nothing_left_to_train_on_is_an_error():
    with pytest.raises(DataError, match="150 documents and 150 are held out"):
        subset(corpus(), held_out=150)


def test_packed_rows_are_nearly_full():
    rows = task().stream(Packing(64, 4), 4, range(4))
    batches = take(rows, 60)
    real = np.mean([(b["segment_ids"] > 0).mean() for b in batches])
    unpacked = task().stream(Packing(64, 1), 4, range(4))
    padded = np.mean([(b["segment_ids"] > 0).mean() for b in take(unpacked, 60)])
    assert real > 0.9 > padded


@pytest.mark.slow
def test_predictions_are_counted_per_instance():
    made = task()
    batch = take(made.stream(Packing(64, 4), 4, range(4)), 1)[0]
    batch = {name: jnp.asarray(value) for name, value in batch.items()}
    variables = made.model.init(jax.random.key(0), batch)
    outputs = made.model.apply(variables, batch)
    said = made.predict(outputs, batch)
    count = (batch["masked_lm_ids"] >= 0).sum()
    assert float(said["mlm_count"].sum()) == float(count)
    # Summed over instances it is the loss that training minimises.
    np.testing.assert_allclose(said["mlm_nll"].sum(), made.losses(outputs, batch)["mlm"], rtol=1e-5)
    used = np.asarray(batch["sequence_index"]) >= 0
    assert (np.asarray(said["mlm_count"])[~used] == 0).all()
    assert (np.asarray(said["mlm_count"])[used] > 0).all()


def test_held_out_scores_are_reported_for_each_corpus():
    parts = [subset(corpus(seed=n), held_out=5 + n, weight=1 - n) for n in range(2)]
    both = task(parts, names=("one", "other"))
    examples = both.examples("validation")
    rng = np.random.default_rng(0)
    predictions = [
        dict.fromkeys(both.predictions, 1.0) | {"mlm_nll": rng.uniform()} for _ in examples
    ]
    results = both.evaluate("validation", predictions, None)
    one, other = results["corpora"]["one"], results["corpora"]["other"]
    assert one["instances"] + other["instances"] == results["instances"] == len(examples)
    # The first corpus alone has the same instances, and no breakdown.
    alone = task(parts[:1], names=("one",))
    assert len(alone.examples("validation")) == one["instances"]
    expected = alone.evaluate("validation", predictions[: one["instances"]], None)
    assert expected == one
    total = one["mlm_loss"] * one["masked_pieces"] + other["mlm_loss"] * other["masked_pieces"]
    assert results["mlm_loss"] == pytest.approx(total / results["masked_pieces"])


@pytest.mark.parametrize("copies", [0, 1, 2])
def test_static_copies_repeat_pairs_and_masks(copies):
    """With one document per block, a block is an epoch of it."""
    options = dataclasses.replace(OPTIONS, static_copies=copies)

    class Single(Subset):
        def documents_for(self, pieces):
            return 1

    blocks = Blocks([Single(corpus(1), np.arange(1))], options, Pieces.of(VOCABULARY), 0)
    epochs = [list(blocks(number)) for number in range(5)]
    ids = [np.concatenate([example["input_ids"] for example in epoch]) for epoch in epochs]
    distinct = {one.tobytes() for one in ids}
    assert len(distinct) == (copies or 5)
    if copies:
        np.testing.assert_array_equal(ids[0], ids[copies])


def test_a_corpus_of_weight_zero_is_held_out_only():
    one = subset(corpus(), held_out=20)
    other = subset(corpus(low=200, high=400, seed=1), held_out=20, weight=0.0)
    blocks = Blocks([one[0], other[0]], OPTIONS, Pieces.of(VOCABULARY), seed=0)
    alone = Blocks([one[0]], OPTIONS, Pieces.of(VOCABULARY), seed=0)
    for block in range(3):
        for a, b in zip(blocks(block), alone(block), strict=True):
            same(a, b)


def documents_of_their_own(count, each=70):
    """Documents that each repeat one piece of their own, in sentences that fill a segment."""
    starts = np.array([0, each], np.int32)
    return MemoryCorpus(
        [
            TokenDocument(str(n), np.full(2 * each, 5 + n, np.int32), starts, 2 * each)
            for n in range(count)
        ]
    )


def owners(example):
    """The documents of both segments, masks taken off."""
    ids = example["input_ids"].copy()
    ids[example["masked_lm_positions"]] = example["masked_lm_ids"]
    types = example["token_type_ids"]
    return [set(ids[(types == t) & (ids >= 5)].tolist()) for t in (0, 1)]


@pytest.mark.parametrize("held_out", [1, 2, 5])
def test_a_random_next_segment_is_of_another_document(held_out):
    made = task([subset(documents_of_their_own(60), held_out)])
    held = made.examples("validation")
    trained = [example for block in range(4) for example in made._blocks(block)]
    for examples in (held, trained):
        drawn = [owners(e) for e in examples if e["next_sentence_label"] == IS_RANDOM]
        assert drawn
        assert all(len(a) == len(b) == 1 and a != b for a, b in drawn)


def test_one_document_is_too_few_for_next_sentences():
    with pytest.raises(DataError, match="one document to train on"):
        task([subset(documents_of_their_own(3), held_out=2)])
