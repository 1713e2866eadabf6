"""Your own named entities, from files in CoNLL's layout.

    python -m experiments.ner --config=configs/ner/own.py --workdir=runs/own \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv, devel.tsv and test.tsv: a token and its tag per line (BIO, IOB1 or BIOES), and a
blank line between sentences. results.json names the data set after DIR.

The settings are the paper's. No score is known: it is your data.
"""

from biobert_jax.configuration.ner import ner


def get_config(variant: str = ""):
    return ner("own", variant)
