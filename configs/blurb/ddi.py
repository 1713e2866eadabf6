"""DDI: interactions of drugs (Herrero-Zazo et al., 2013), from the official XML.

    biobert train relation --config=blurb/ddi --workdir=runs/ddi \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has DDICorpus-2013.zip and BLURB's dev_files.tsv. Both drugs of a pair become @DRUG$.

Published (BLURB), micro F1 over four classes: BERT 79.34, BioBERT 80.88, PubMedBERT 82.36.
No BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.blurb import blurb


def get_config(variant: str = ""):
    return blurb("ddi", variant)
