"""The formula against XLA's count of an unrolled program, and against the usual one."""

import functools

import jax
import numpy as np
import pytest

from biobert_jax.analysis.flops import training_flops
from biobert_jax.models.config import BertConfig, Compute
from biobert_jax.models.heads import PretrainingModel


def test_is_the_usual_formula_for_berts_shapes():
    base = BertConfig()
    layers, h, s, v = 12, 768, 512, base.vocab_size
    usual = s * (72 * layers * h * h + 12 * layers * h * s) + 77 * 6 * v * h
    found = training_flops(base, 1, s, 77, 1)
    assert found == pytest.approx(usual, rel=2e-3)
    assert found == pytest.approx(300e9, rel=0.1)


def test_agrees_with_the_compilers_count():
    config = BertConfig(
        vocab_size=512,
        hidden_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=256,
        max_position_embeddings=128,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    model = PretrainingModel(config, Compute(unroll=0))
    tokens = ("input_ids", "token_type_ids", "segment_ids", "position_ids")
    batch = {name: np.zeros((4, 128), np.int32) for name in tokens}
    batch |= {"masked_lm_positions": np.zeros((4, 20), np.int32)}
    batch |= {"cls_positions": np.zeros((4, 1), np.int32)}
    params = jax.eval_shape(functools.partial(model.init, batch=batch), jax.random.key(0))

    def loss(params):
        outputs = model.apply(params, batch)
        return outputs["mlm_logits"].sum() + outputs["nsp_logits"].sum()

    counted = jax.jit(jax.grad(loss)).lower(params).cost_analysis()["flops"]
    formula = training_flops(config, 4, 128, 20, 1)
    # XLA counts the element-wise operations, too, which weigh more in a narrow model.
    assert 0.85 * counted < formula < counted
