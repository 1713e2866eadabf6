"""From a config to a task and its card."""

import pytest

from biobert_jax.configuration.qa import qa
from biobert_jax.launcher.start import start
from biobert_jax.tasks.qa.prepare import prepare
from biobert_jax.tasks.qa.yesno import LABELS


@pytest.mark.parametrize("kind", ["factoid", "yesno"])
def test_the_card_says_what_the_config_says(kind):
    config = qa("synthetic", kind, "debug")
    prepared = prepare(config, lambda texts: start(config, texts))
    card = prepared.task.card
    assert (card.task, card.kind) == ("qa", kind)
    assert card.windows.max_length == config.windows.max_length
    assert card.decoding.top == config.decoding.top
    assert card.labels == (list(LABELS) if kind == "yesno" else None)
