"""BC5CDR, its diseases (Li et al., 2016).

    python -m experiments.ner --config=configs/ner/bc5cdr_disease.py --workdir=runs/bc5cdr_disease \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

Published for BioBERT v1.1, entity F1: 86.37 (biobert-pytorch).
No BioBERT weights were available. Measured with a six-layer general encoder (docs/results.md):
81.06, one seed, 26 minutes on two CPU cores.
"""

from biobert_jax.configuration.ner import ner


def get_config(variant: str = ""):
    return ner("bc5cdr_disease", variant)
