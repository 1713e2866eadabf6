"""BC4CHEMD: chemicals (Krallinger et al., 2015).

    python -m experiments.ner --config=configs/ner/bc4chemd.py --workdir=runs/bc4chemd \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

Published for BioBERT v1.1, entity F1: 92.36 (the article), 91.15 (biobert-pytorch).
Not measured here: no BioBERT weights were available. What was measured is in docs/results.md.
"""

from biobert_jax.configuration.ner import ner


def get_config(variant: str = ""):
    return ner("bc4chemd", variant)
