"""2010 i2b2/VA: problems, tests and treatments in clinical notes (Uzuner et al., 2011).

    python -m experiments.ner --config=configs/ner/i2b2_2010.py --workdir=runs/i2b2_2010 \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

The files need a data use agreement; without them the command says where to put them.

No published entity F1 to compare with was confirmed; docs/results.md has what was measured.
"""

from biobert_jax.configuration.ner import ner


def get_config(variant: str = ""):
    return ner("i2b2_2010", variant)
