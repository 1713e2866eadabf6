"""Your own texts, or pairs of texts, with a class or several labels each.

    python -m experiments.classification --config=configs/classification/own.py \
        --workdir=runs/own --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv and test.tsv, and dev.tsv if there is one; or .jsonl files. The columns are
`text`, perhaps `second`, and `label` or `labels` (docs/texts.md). results.json names the data set
after DIR. No score is known: it is your data.
"""

from biobert_jax.configuration.classification import classification


def get_config(variant: str = ""):
    return classification("own", variant)
