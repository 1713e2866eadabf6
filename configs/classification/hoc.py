"""HoC: hallmarks of cancer (Baker et al., 2016), ten labels, scored per abstract as in BLURB.

    python -m experiments.classification --config=configs/classification/hoc.py \
        --workdir=runs/hoc --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv, dev.tsv and test.tsv as BLURB's data_generation writes them. A sentence is
classified by itself; an abstract has the labels that one of its sentences has. Scores are micro
averages over the labels of abstracts.

Published (BLURB, micro F1): BERT 80.12, BioBERT 81.54, PubMedBERT 82.32. No BioBERT weights were
available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.classification import classification


def get_config(variant: str = ""):
    return classification("hoc", variant)
