"""What a config's `compute` becomes on a platform."""

import pytest

from biobert_jax.configuration.defaults import defaults
from biobert_jax.errors import TrainingError
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.launcher import start
from biobert_jax.models import attention
from biobert_jax.models.config import BertConfig


@pytest.mark.parametrize(
    ("platform", "remat", "asked", "expected"),
    [
        ("cpu", "none", -1, 0),
        ("cpu", "full", -1, 1),  # without a loop nothing would be saved
        ("tpu", "none", -1, 1),
        ("cuda", "dots", -1, 1),
        ("cpu", "full", 0, 0),
        ("cpu", "none", 3, 3),
    ],
)
def test_how_many_layers_a_turn_of_the_loop_holds(platform, remat, asked, expected):
    config = defaults()
    config.compute.remat, config.compute.unroll = remat, asked
    assert start.compute(config, platform=platform).unroll == expected


@pytest.mark.parametrize(("own", "expected"), [(-1.0, 0.3), (0.0, 0.0), (0.2, 0.2)])
def test_attention_has_dropout_of_its_own(own, expected):
    config = defaults()
    config.model.dropout, config.model.attention_dropout = 0.3, own
    rates = start.dropout_rates(config)
    assert rates == {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": expected}


@pytest.mark.slow
def test_auto_falls_back_to_xla_if_a_kernel_is_wrong(monkeypatch, caplog):
    config = defaults()
    sizes = BertConfig(hidden_size=16, num_attention_heads=2)
    wrong = attention.IMPLEMENTATIONS["xla"]
    monkeypatch.setitem(attention.IMPLEMENTATIONS, "pallas_tpu", lambda *given: 1.1 * wrong(*given))
    config.batch.row_length = 16
    chosen, facts = start._compute_and_proof(config, sizes, platform="tpu")
    assert chosen.attention == facts["attention"] == "xla"
    found = facts["attention_check"]
    assert found["tried"] == "pallas_tpu"
    assert found["difference"] == pytest.approx(0.1, rel=0.1)
    assert found["seconds"] > 0
    assert "attention pallas_tpu is not used" in caplog.text
    config.compute.attention = "pallas_tpu"
    with pytest.raises(TrainingError, match=r"'pallas_tpu'.* differs by 1.0e-01"):
        start.compute(config, sizes)
    monkeypatch.setitem(attention.IMPLEMENTATIONS, "pallas_tpu", wrong)
    assert start.compute(config, sizes).attention == "pallas_tpu"


def test_settings_that_a_checkpoint_brings_itself(monkeypatch, caplog):
    """Sizes that differ are named in a warning; a casing that differs is refused."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a"]
    architecture = BertConfig(vocab_size=6, hidden_size=16, num_attention_heads=2)
    checkpoint = Checkpoint(architecture, {}, vocabulary, False, None, "folder")
    monkeypatch.setattr(start, "load", lambda init: checkpoint)
    config = defaults()
    config.init, config.model.num_hidden_layers = "folder", 3
    begun = start.start(config, list)
    assert begun.architecture.hidden_size == 16
    [message] = [m for m in caplog.messages if "not used" in m]
    assert "num_hidden_layers=3 (12 there)" in message
    assert "hidden_size" not in message.replace("num_hidden", "")  # the default, which nobody gave
    config.lowercase = True
    with pytest.raises(TrainingError, match=r"config\.lowercase is True, and folder is cased"):
        start.start(config, list)
