"""The demonstration: from generated PubMed files to named entities, on a CPU.

python -m experiments.demo
"""

import ml_collections

from biobert_jax.configuration.ner import ner
from biobert_jax.configuration.pretraining import pretraining


def get_config(variant: str = ""):
    """Few sentences with labels, many abstracts without: what pre-training is for.

    Args:
      variant: "" or `debug`, which shows nothing but that everything runs.
    """
    debug = variant == "debug"
    config = ml_collections.ConfigDict()
    config.seed = 0
    config.abstracts = 200 if debug else 6000
    config.sentences = 40 if debug else 100  # with labels, to train on
    config.test_sentences = 25 if debug else 500
    config.vocab_size = 300 if debug else 1000

    config.pretraining = _small(pretraining("debug", 0), debug)
    config.pretraining.dataset.held_out = 10 if debug else 100
    config.pretraining.instances.next_sentence = False  # a model of this size does not learn it
    config.pretraining.model.dropout = 0.0
    config.pretraining.batch.row_length = LENGTH
    config.pretraining.batch.max_sequences = 2
    config.pretraining.batch.rows = 8 if debug else 64
    config.pretraining.batch.eval_rows = 8 if debug else 64
    config.pretraining.train.steps = 4 if debug else 3000
    config.pretraining.train.evaluate_every = 0
    config.pretraining.optimizer.warmup_steps = 1 if debug else 50
    config.pretraining.optimizer.learning_rate = 1e-3

    config.ner = _small(ner("synthetic", ""), debug)
    config.ner.dataset.train_on = "train"
    config.ner.windows.max_length = LENGTH
    config.ner.windows.overlap = 8
    config.ner.batch.sequences = 16
    config.ner.train.epochs = 2 if debug else 40
    config.ner.optimizer.learning_rate = 1e-3
    return config


LENGTH = 32
"""Pieces. Positions are learnt, too: with few of them, a small model has learnt them soon."""


def _small(config: ml_collections.ConfigDict, debug: bool) -> ml_collections.ConfigDict:
    """Gives both runs the same small architecture."""
    config.init = "random"
    config.model.hidden_size = 32 if debug else 64
    config.model.num_hidden_layers = 1 if debug else 2
    config.model.num_attention_heads = 2 if debug else 4
    config.model.intermediate_size = 64 if debug else 256
    config.model.max_position_embeddings = LENGTH
    # BERT's 0.02 is for 768 dimensions. At 64, what attention adds would drown at first, and
    # pre-training would not get beyond how frequent each piece is for thousands of steps.
    config.model.initializer_range = 0.12
    config.checkpoint.every = 0
    config.log_every = 2 if debug else 10
    return config
