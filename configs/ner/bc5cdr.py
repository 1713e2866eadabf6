"""BC5CDR, chemicals and diseases at once (Li et al., 2016).

    python -m experiments.ner --config=configs/ner/bc5cdr.py --workdir=runs/bc5cdr \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

No published entity F1 to compare with was confirmed; docs/results.md has what was measured.
"""

from biobert_jax.configuration.ner import ner


def get_config(variant: str = ""):
    return ner("bc5cdr", variant)
