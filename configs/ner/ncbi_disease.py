"""NCBI-disease: disease names (Dogan et al., 2014).

    python -m experiments.ner --config=configs/ner/ncbi_disease.py --workdir=runs/ncbi_disease \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

Published for BioBERT v1.1, entity F1: 89.71 (the article), 88.30 (biobert-pytorch).
Not measured here: no BioBERT weights were at hand. What was measured is in docs/results.md.
"""

from configs.ner.common import ner


def get_config(variant: str = ""):
    return ner("ncbi_disease", variant)
