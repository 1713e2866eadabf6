"""LINNAEUS: species (Gerner et al., 2010).

    python -m experiments.ner --config=configs/ner/linnaeus.py --workdir=runs/linnaeus \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

Published for BioBERT v1.1, entity F1: 88.08 (biobert-pytorch).
Not measured here: no BioBERT weights were available. What was measured is in docs/results.md.
"""

from biobert_jax.configuration.ner import ner


def get_config(variant: str = ""):
    return ner("linnaeus", variant)
