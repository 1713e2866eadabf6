"""Your own pairs of texts with a number each.

    python -m experiments.similarity --config=configs/similarity/own.py --workdir=runs/own \
        --config.init=INIT --config.dataset.path=DIR "--config.dataset.scale=(0.0, 5.0)"

DIR has train.tsv and test.tsv, and dev.tsv if there is one; or .jsonl files. The columns are
`text`, `second` and `score` (docs/texts.md). The scale is the lowest and the highest score; without
it, those of the training pairs. No score is known: it is your data.
"""

from biobert_jax.configuration.similarity import similarity


def get_config(variant: str = ""):
    return similarity("own", variant)
