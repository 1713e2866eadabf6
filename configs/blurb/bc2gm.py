"""BC2GM: genes (Smith et al., 2008).

    biobert train ner --config=blurb/bc2gm --workdir=runs/bc2gm \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv, devel.tsv and test.tsv; without it they are downloaded. Trained on train alone.

Published (BLURB), entity F1: BERT 81.23, BioBERT 83.82, PubMedBERT 84.52.
No BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.blurb import blurb


def get_config(variant: str = ""):
    return blurb("bc2gm", variant)
