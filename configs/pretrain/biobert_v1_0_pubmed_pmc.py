"""BioBERT v1.0 (+ PubMed + PMC): 470K steps from BERT-base cased.

    python -m experiments.pretrain --config=configs/pretrain/biobert_v1_0_pubmed_pmc.py \\
        --workdir=runs/biobert_v1_0_pubmed_pmc \\
        "--config.dataset.corpora=(('CORPUS_FOLDER', 1.0),)"

Reads PubMed abstracts and PMC full text.
131,072 positions per batch on any number of devices that divides its
256 rows, as many of them at once as fit. Not run here: it takes days on the
paper's 8 V100.
The variant `debug` runs in seconds.
"""

from biobert_jax.configuration.pretraining import FIGURE_3, pretraining


def get_config(variant: str = ""):
    config = pretraining(variant, 470_000, FIGURE_3)
    if variant != "debug":
        config.init = "hf://google-bert/bert-base-cased"
    return config
