"""BioASQ's yes/no questions in BLURB's form: a question and all its snippets are one pair.

    python -m experiments.classification --config=configs/classification/bioasq_yesno.py \
        --workdir=runs/bioasq_yesno --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv, dev.tsv and test.tsv as BLURB's data_generation writes them. configs/qa has
BioASQ as its own evaluator scores it.

Published (BLURB, accuracy): BERT 74.44, BioBERT 84.14, PubMedBERT 87.56; always yes is 67.1. No
BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.classification import classification


def get_config(variant: str = ""):
    return classification("bioasq_yesno", variant)
