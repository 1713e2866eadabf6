"""The encoder against a plain transcription in double precision, and packed against unpacked."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from biobert_jax.input.packing import IGNORED, Feature, lay_out
from biobert_jax.models.config import BertConfig, Compute
from biobert_jax.models.encoder import BertEncoder
from biobert_jax.models.heads import (
    PretrainingModel,
    SequenceClassifier,
    SpanClassifier,
    TokenClassifier,
)
from biobert_jax.tasks.losses import count_labels, cross_entropy_sum
from tests.support.models import tiny_config

CONFIG = tiny_config(60, num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=24)
FEATURES = {
    "input_ids": Feature("token"),
    "token_type_ids": Feature("token"),
    "labels": Feature("token", pad=IGNORED),
    "sequence_labels": Feature("sequence", pad=IGNORED),
    "masked_lm_positions": Feature("position", slots=12),
    "masked_lm_ids": Feature("at_position", pad=IGNORED, slots=12),
}


def examples(lengths=(9, 5, 7, 12)):
    random = np.random.default_rng(0)
    out = []
    for length in lengths:
        ids = random.integers(0, 60, length)  # token id 0 occurs: it must not pass for padding
        out.append(
            {
                "input_ids": ids,
                "token_type_ids": (np.arange(length) > length // 2).astype(np.int32),
                "labels": random.integers(-1, 3, length),
                "sequence_labels": random.integers(0, 2),
                "masked_lm_positions": np.array([1, 3]),
                "masked_lm_ids": ids[[1, 3]],
            }
        )
    return out


PACKED = [np.array([0, 3]), np.array([1, 2])]
UNPACKED = [np.array([i]) for i in range(4)]


def batch_of(rows, row_length=22, max_sequences=3):
    return lay_out(examples(), rows, FEATURES, row_length, max_sequences)


@pytest.fixture(scope="module")
def params():
    """Parameters of the encoder, larger than at initialisation so that nothing is nearly linear."""
    params = BertEncoder(CONFIG).init(jax.random.key(0), batch_of(PACKED))["params"]
    keys = iter(jax.random.split(jax.random.key(1), 100))
    return jax.tree.map(lambda x: x + 0.2 * jax.random.normal(next(keys), x.shape), params)


def reference(params, batch):
    """BERT in numpy, float64, written from the formulas (Devlin et al.; modeling.py)."""
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)

    def normed(x, layer):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x**2).mean(-1, keepdims=True) + CONFIG.layer_norm_eps)
        return x * layer["scale"] + layer["bias"]

    tables = p["embeddings"]
    x = tables["word_embeddings"]["embedding"][batch["input_ids"]]
    x = x + tables["position_embeddings"]["embedding"][batch["position_ids"]]
    x = x + tables["token_type_embeddings"]["embedding"][batch["token_type_ids"]]
    x = normed(x, tables["layer_norm"])
    segments = batch["segment_ids"]
    allowed = (segments[:, :, None] == segments[:, None, :]) & (segments[:, None, :] > 0)
    erf = np.vectorize(math.erf)
    for number in range(CONFIG.num_hidden_layers):
        layer = jax.tree.map(lambda value, n=number: value[n], p["layers"])
        attention, mlp = layer["attention"], layer["mlp"]
        qkv = np.einsum("bsd,dche->bsche", x, attention["qkv"]["kernel"])
        q, k, v = np.moveaxis(qkv + attention["qkv"]["bias"], 2, 0)
        logits = np.einsum("bqhe,bkhe->bhqk", q, k) / math.sqrt(CONFIG.head_size)
        logits = logits - 10_000.0 * ~allowed[:, None]
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        weights = weights / weights.sum(-1, keepdims=True)
        context = np.einsum("bhqk,bkhe->bqhe", weights, v)
        out = np.einsum("bqhe,hed->bqd", context, attention["output"]["kernel"])
        x = normed(x + out + attention["output"]["bias"], attention["layer_norm"])
        y = x @ mlp["intermediate"]["kernel"] + mlp["intermediate"]["bias"]
        y = 0.5 * y * (1 + erf(y / math.sqrt(2)))
        x = normed(x + y @ mlp["output"]["kernel"] + mlp["output"]["bias"], mlp["layer_norm"])
    return x


@pytest.mark.slow
def test_hidden_states_equal_a_double_precision_transcription(params):
    batch = batch_of(PACKED)
    found = jax.jit(BertEncoder(CONFIG).apply)({"params": params}, batch)
    real = batch["segment_ids"] > 0
    np.testing.assert_allclose(found[real], reference(params, batch)[real], rtol=2e-5, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{"unroll": 1}, {"unroll": 0}, {"remat": "full"}, {"remat": "dots"}]
)
def test_unrolling_and_rematerialisation_change_nothing(params, options):
    batch = batch_of(PACKED)

    def loss(params, **options):
        return (BertEncoder(CONFIG, Compute(**options)).apply({"params": params}, batch) ** 3).sum()

    expected = jax.jit(jax.value_and_grad(loss))(params)
    found = jax.jit(jax.value_and_grad(lambda p: loss(p, **options)))(params)
    for a, b in zip(jax.tree.leaves(expected), jax.tree.leaves(found), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_rematerialisation_saves_memory_in_the_loop(params):
    batch = {name: np.tile(values, (64, 1)) for name, values in batch_of(PACKED).items()}

    def temporaries(remat):
        model = BertEncoder(CONFIG, Compute(remat=remat, unroll=1))

        def loss(params):
            key = jax.random.key(0)
            out = model.apply({"params": params}, batch, False, rngs={"dropout": key})
            return (out**3).sum()

        compiled = jax.jit(jax.grad(loss)).lower(params).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    none, dots, full = (temporaries(remat) for remat in ("none", "dots", "full"))
    assert full < 0.7 * none
    assert full < dots < none


@pytest.mark.slow
def test_bfloat16_keeps_parameters_and_the_sum_in_float32(params):
    batch = batch_of(PACKED)
    model = TokenClassifier(CONFIG, Compute(dtype="bfloat16"), num_labels=3)
    variables = model.init(jax.random.key(0), batch)
    assert {x.dtype for x in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    exact = TokenClassifier(CONFIG, num_labels=3).apply(variables, batch)["logits"]
    rounded = model.apply(variables, batch)["logits"]
    assert rounded.dtype == jnp.float32
    difference = np.abs(rounded - exact).max()
    assert 0 < difference < 0.02


def heads():
    def tags(outputs, batch):
        return cross_entropy_sum(outputs["logits"], batch["labels"]), count_labels(batch["labels"])

    def classes(outputs, batch):
        labels = batch["sequence_labels"]
        return cross_entropy_sum(outputs["logits"], labels), count_labels(labels)

    def spans(outputs, batch):
        # Any function of each token's own logits: padding is left out, sequences add up.
        real = batch["segment_ids"] > 0
        total = jnp.where(real, outputs["start_logits"] ** 2 + outputs["end_logits"] ** 3, 0).sum()
        return total, real.sum()

    def pretraining(outputs, batch):
        mlm = cross_entropy_sum(outputs["mlm_logits"], batch["masked_lm_ids"])
        nsp = cross_entropy_sum(outputs["nsp_logits"], batch["sequence_labels"])
        return mlm + nsp, count_labels(batch["masked_lm_ids"])

    return [
        pytest.param(TokenClassifier(CONFIG, num_labels=3), tags, id="token"),
        pytest.param(SequenceClassifier(CONFIG, num_labels=2), classes, id="sequence"),
        pytest.param(SpanClassifier(CONFIG), spans, id="span"),
        pytest.param(PretrainingModel(CONFIG), pretraining, id="pretraining"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "loss"), heads())
def test_packed_and_unpacked_give_the_same_loss_and_gradients(model, loss, params):
    def mean(params, batch):
        total, weight = loss(model.apply({"params": params}, batch), batch)
        return total / weight

    packed, unpacked = batch_of(PACKED), batch_of(UNPACKED, row_length=12, max_sequences=1)
    fresh = model.init(jax.random.key(0), packed)["params"]
    fresh = {**fresh, "encoder": params}
    expected = jax.jit(jax.value_and_grad(mean))(fresh, unpacked)
    found = jax.jit(jax.value_and_grad(mean))(fresh, packed)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5)
    for path, leaf in jax.tree_util.tree_leaves_with_path(expected[1]):
        other = dict(jax.tree_util.tree_leaves_with_path(found[1]))[path]
        scale = np.abs(leaf).max() + 1e-6
        assert np.abs(leaf - other).max() < 2e-5 * scale, jax.tree_util.keystr(path)


def test_a_batch_that_lacks_a_feature_is_refused_by_name(params):
    batch = batch_of(PACKED)
    del batch["segment_ids"]
    with pytest.raises(ValueError, match="the batch has no segment_ids"):
        BertEncoder(CONFIG).apply({"params": params}, batch)
    batch["segment_ids"] = np.zeros((2, 5), np.int32)
    with pytest.raises(ValueError, match=r"segment_ids must be \[B, S\].*found \(2, 5\)"):
        BertEncoder(CONFIG).apply({"params": params}, batch)


def test_configurations_of_both_publishers_read_and_write(tmp_path):
    import json

    google = dataclasses.asdict(BertConfig()) | {"directionality": "bidi"}
    del google["layer_norm_eps"], google["pad_token_id"]
    path = tmp_path / "bert_config.json"
    path.write_text(json.dumps(google))
    assert BertConfig.from_json_file(path) == BertConfig()
    path.write_text(json.dumps(BertConfig().to_dict() | {"model_type": "bert"}))
    assert BertConfig.from_json_file(path) == BertConfig()
