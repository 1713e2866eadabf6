"""BC5-disease: diseases (Li et al., 2016).

    biobert train ner --config=blurb/bc5_disease --workdir=runs/bc5_disease \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv, devel.tsv and test.tsv; without it they are downloaded. Trained on train alone.

Published (BLURB), entity F1: BERT 79.92, BioBERT 84.70, PubMedBERT 85.62.
No BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.blurb import blurb


def get_config(variant: str = ""):
    return blurb("bc5_disease", variant)
