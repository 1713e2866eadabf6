"""EBM PICO: who was treated with what, and what came of it (Nye et al., 2018).

    biobert train ner --config=blurb/ebm_pico --workdir=runs/ebm_pico \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv, dev.tsv and test.tsv as BLURB's data_generation writes them. Labels are I-PAR,
I-INT, I-OUT and O: the set says which words belong to an element, not where one begins.

Published (BLURB), macro F1 over words: BERT 71.70, BioBERT 73.18, PubMedBERT 73.38.
No BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.blurb import blurb


def get_config(variant: str = ""):
    return blurb("ebm_pico", variant)
