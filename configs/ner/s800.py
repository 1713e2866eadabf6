"""Species-800: species (Pafilis et al., 2013).

    python -m experiments.ner --config=configs/ner/s800.py --workdir=runs/s800 \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

Published for BioBERT v1.1, entity F1: 72.38 (biobert-pytorch).
No BioBERT weights were available. Measured with a six-layer general encoder (docs/results.md):
64.52, one seed, 18 minutes on two CPU cores.
"""

from biobert_jax.configuration.ner import ner


def get_config(variant: str = ""):
    return ner("s800", variant)
