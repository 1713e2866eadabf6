"""GAD in BLURB's split: gene-disease associations (Bravo et al., 2015).

    biobert train relation --config=blurb/gad --workdir=runs/gad \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv, dev.tsv and test.tsv as BLURB's data_generation writes them. It is one split, not
the ten folds of configs/relation/gad.py.

Published (BLURB), F1 of the positive class: BERT 79.61, BioBERT 82.36, PubMedBERT 83.96.
No BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.blurb import blurb


def get_config(variant: str = ""):
    return blurb("gad", variant)
