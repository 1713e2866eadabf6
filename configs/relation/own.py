"""Your own relations: sentences with two marked entities, and a class for each.

    python -m experiments.relation --config=configs/relation/own.py --workdir=runs/own \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train.tsv and test.tsv, and dev.tsv if there is one; or folders 1, 2, ... of folds. The
forms are those of GAD and ChemProt (docs/relations_and_questions.md). results.json names the data
set after DIR.

The settings are the paper's. No score is known: it is your data.
"""

from biobert_jax.configuration.relation import relation


def get_config(variant: str = ""):
    return relation("own", variant)
