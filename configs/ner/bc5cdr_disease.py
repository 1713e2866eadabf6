"""BC5CDR, its diseases (Li et al., 2016).

    python -m experiments.ner --config=configs/ner/bc5cdr_disease.py --workdir=runs/bc5cdr_disease \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

Published for BioBERT v1.1, entity F1: 86.37 (biobert-pytorch).
Not measured here: no BioBERT weights were at hand. What was measured is in docs/results.md.
"""

from configs.ner.common import ner


def get_config(variant: str = ""):
    return ner("bc5cdr_disease", variant)
