import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from biobert_jax.interop import layout
from biobert_jax.models import heads


@pytest.mark.parametrize(
    ("make", "groups"),
    [
        (heads.PretrainingModel, {"encoder", "pooler", "mlm", "nsp"}),
        (lambda config: heads.TokenClassifier(config, num_labels=3), {"encoder", "classifier"}),
        (
            lambda config: heads.SequenceClassifier(config, num_labels=3),
            {"encoder", "pooler", "classifier"},
        ),
        (heads.SpanClassifier, {"encoder", "span"}),
    ],
)
def test_the_table_has_the_shapes_of_the_models(config, make, groups):
    names = ("input_ids", "token_type_ids", "segment_ids", "position_ids")
    batch = {name: jnp.ones((2, 8), jnp.int32) for name in names}
    batch["cls_positions"] = jnp.zeros((2, 1), jnp.int32)
    variables = jax.eval_shape(make(config).init, jax.random.key(0), batch)
    shapes = jax.tree.map(lambda leaf: leaf.shape, nn.unbox(variables["params"]))
    expected = {
        path: shape
        for path, shape in layout.leaf_shapes(config, num_labels=3).items()
        if path[0] in groups
    }
    assert traverse_util.flatten_dict(shapes, is_leaf=lambda _, x: isinstance(x, tuple)) == expected


def test_there_and_back_again(config, checkpoint):
    tensors = layout.to_tensors(checkpoint.params, config)
    assert all(tensor.flags.c_contiguous for tensor in tensors.values())
    params = layout.to_params(tensors, config, checkpoint.params)
    jax.tree.map(np.testing.assert_array_equal, params, checkpoint.params)


def test_a_known_weight_lands_in_its_head(config, checkpoint):
    """Query of layer 1: row o of the published matrix makes output o, which is head o // (D/H)."""
    tensors = layout.to_tensors(checkpoint.params, config)
    published = tensors["bert.encoder.layer.1.attention.self.query.weight"]
    kernel = checkpoint.params["encoder"]["layers"]["attention"]["qkv"]["kernel"]
    assert published[7, 2] == kernel[1, 2, 0, 7 // 4, 7 % 4]


def test_unknown_group(config):
    with pytest.raises(ValueError, match="'crf'"):
        list(layout.places(config, "crf"))
