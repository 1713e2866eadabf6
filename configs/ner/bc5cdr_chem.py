"""BC5CDR, its chemicals (Li et al., 2016).

    python -m experiments.ner --config=configs/ner/bc5cdr_chem.py --workdir=runs/bc5cdr_chem \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

Published for BioBERT v1.1, entity F1: 93.04 (biobert-pytorch).
Not measured here: no BioBERT weights were available. What was measured is in docs/results.md.
"""

from biobert_jax.configuration.ner import ner


def get_config(variant: str = ""):
    return ner("bc5cdr_chem", variant)
