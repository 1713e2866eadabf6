"""JNLPBA: genes and proteins (Kim et al., 2004).

    python -m experiments.ner --config=configs/ner/jnlpba.py --workdir=runs/jnlpba \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

Published for BioBERT v1.1, entity F1: 75.98 (biobert-pytorch).
Not measured here: no BioBERT weights were available. What was measured is in docs/results.md.
"""

from biobert_jax.configuration.ner import ner


def get_config(variant: str = ""):
    return ner("jnlpba", variant)
