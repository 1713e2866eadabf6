"""NCBI-disease: disease names (Dogan et al., 2014).

    python -m experiments.ner --config=configs/ner/ncbi_disease.py --workdir=runs/ncbi_disease \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

Published for BioBERT v1.1, entity F1: 89.71 (the article), 88.30 (biobert-pytorch).
No BioBERT weights were available. Measured with a six-layer general encoder (docs/results.md):
83.45 +- 0.31 over three seeds, 17 minutes per run on two CPU cores.
"""

from biobert_jax.configuration.ner import ner


def get_config(variant: str = ""):
    return ner("ncbi_disease", variant)
