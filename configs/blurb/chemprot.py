"""ChemProt: chemical-protein relations (Krallinger et al., 2017).

    biobert train relation --config=blurb/chemprot --workdir=runs/chemprot \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv, dev.tsv and test.tsv as BLURB's data_generation writes them; or it is
ChemProt_Corpus.zip, whose pairs are then ours (docs/blurb.md says how they differ).

Published (BLURB), micro F1 over five classes: BERT 71.54, BioBERT 76.14, PubMedBERT 77.24.
No BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.blurb import blurb


def get_config(variant: str = ""):
    return blurb("chemprot", variant)
