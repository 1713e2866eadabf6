"""ChemProt: chemical-protein relations (BioCreative VI, track 5; Krallinger et al., 2017).

    python -m experiments.relation --config=configs/relation/chemprot.py --workdir=runs/chemprot \
        --config.init=INIT --config.dataset.path=ChemProt_Corpus.zip --config.seed=1

The path is the official corpus, or a folder with train, dev and test in a masked TSV form or as
SciBERT's JSON lines (13 classes without a negative one, all scored).

Published for BioBERT v1.1, micro F1 over the five classes: 76.17 (elsewhere than in the article).
Not measured here: no BioBERT weights were available. What was measured is in docs/results.md.
"""

from biobert_jax.configuration.relation import relation


def get_config(variant: str = ""):
    return relation("chemprot", variant)
