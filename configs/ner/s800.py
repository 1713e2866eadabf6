"""Species-800: species (Pafilis et al., 2013).

    python -m experiments.ner --config=configs/ner/s800.py --workdir=runs/s800 \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

Published for BioBERT v1.1, entity F1: 72.38 (biobert-pytorch).
Not measured here: no BioBERT weights were at hand. What was measured is in docs/results.md.
"""

from configs.ner.common import ner


def get_config(variant: str = ""):
    return ner("s800", variant)
