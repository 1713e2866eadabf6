"""BERT-base from nothing on Wikipedia + BooksCorpus (Devlin et al., 2019).

    python -m experiments.pretrain --config=configs/pretrain/bert_base.py \\
        --workdir=runs/bert_base \\
        "--config.dataset.corpora=(('CORPUS_FOLDER', 1.0),)"

Reads Wikipedia and books, built with `biobert corpus build --source text`.
131,072 positions per batch on any number of devices that divides its
256 rows, as many of them at once as fit. Not run here: it takes days on the
paper's 8 V100.
The variant `debug` runs in seconds.
"""

from biobert_jax.configuration.pretraining import pretraining


def get_config(variant: str = ""):
    config = pretraining(variant, 1_000_000)
    if variant != "debug":
        config.init = "random"
        config.vocab_size = 28996
    return config
