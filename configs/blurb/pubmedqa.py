"""PubMedQA: yes, no or maybe (Jin et al., 2019).

    biobert train classification --config=blurb/pubmedqa --workdir=runs/pubmedqa \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has ori_pqal.json; it is split by the authors' rule.

Published (BLURB), accuracy: BERT 49.96, BioBERT 60.24, PubMedBERT 55.84 (always yes: 55.2).
No BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.blurb import blurb


def get_config(variant: str = ""):
    return blurb("pubmedqa", variant)
