"""NCBI-disease (Dogan et al., 2014).

    biobert train ner --config=blurb/ncbi_disease --workdir=runs/ncbi_disease \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv, devel.tsv and test.tsv; without it they are downloaded. Trained on train alone.

Published (BLURB), entity F1: BERT 85.87, BioBERT 89.13, PubMedBERT 87.82.
No BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.blurb import blurb


def get_config(variant: str = ""):
    return blurb("ncbi_disease", variant)
