"""BioASQ's yes/no questions in BLURB's form (Nentidis et al., 2019).

    biobert train classification --config=blurb/bioasq --workdir=runs/bioasq \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv, dev.tsv and test.tsv as BLURB's data_generation writes them.

Published (BLURB), accuracy: BERT 74.44, BioBERT 84.14, PubMedBERT 87.56 (always yes: 67.1).
No BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.blurb import blurb


def get_config(variant: str = ""):
    return blurb("bioasq", variant)
