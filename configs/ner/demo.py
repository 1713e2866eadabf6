"""The demonstration: a small encoder from random parameters on the generated corpus.

python -m experiments.demo
"""

from configs.ner.common import ner


def get_config(variant: str = ""):
    config = ner("synthetic", variant)
    if variant == "debug":
        return config
    config.init = "random"
    config.vocab_size = 1000
    config.model.hidden_size = 128
    config.model.num_hidden_layers = 3
    config.model.num_attention_heads = 4
    config.model.intermediate_size = 256
    config.model.max_position_embeddings = 128
    config.batch.sequences = 16
    config.train.epochs = 10
    config.optimizer.learning_rate = 1e-3
    config.checkpoint.every = 0
    return config
