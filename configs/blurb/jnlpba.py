"""JNLPBA in BLURB's split, without types (Collier and Kim, 2004).

    biobert train ner --config=blurb/jnlpba --workdir=runs/jnlpba \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv, dev.tsv and test.tsv as BLURB's data_generation writes them. It is not the split
of configs/ner/jnlpba.py.

Published (BLURB), entity F1: BERT 77.51, BioBERT 78.55, PubMedBERT 79.10.
No BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.blurb import blurb


def get_config(variant: str = ""):
    return blurb("jnlpba", variant)
