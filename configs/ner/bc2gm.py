"""BC2GM: genes and proteins (Smith et al., 2008).

    python -m experiments.ner --config=configs/ner/bc2gm.py --workdir=runs/bc2gm \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

Published for BioBERT v1.1, entity F1: 84.72 (the article), 83.41 (biobert-pytorch).
Not measured here: no BioBERT weights were available. What was measured is in docs/results.md.
"""

from biobert_jax.configuration.ner import ner


def get_config(variant: str = ""):
    return ner("bc2gm", variant)
