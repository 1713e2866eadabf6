"""BIOSSES: how similar two sentences are, 0 to 4 (Sogancioglu et al., 2017).

    biobert train similarity --config=blurb/biosses --workdir=runs/biosses \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv, dev.tsv and test.tsv as BLURB's data_generation writes them.

Published (BLURB), Pearson: BERT 81.40, BioBERT 89.52, PubMedBERT 92.30.
No BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.blurb import blurb


def get_config(variant: str = ""):
    return blurb("biosses", variant)
