"""HoC: hallmarks of cancer, scored per abstract (Baker et al., 2016).

    biobert train classification --config=blurb/hoc --workdir=runs/hoc \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv, dev.tsv and test.tsv as BLURB's data_generation writes them.

Published (BLURB), micro F1: BERT 80.12, BioBERT 81.54, PubMedBERT 82.32.
No BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.blurb import blurb


def get_config(variant: str = ""):
    return blurb("hoc", variant)
