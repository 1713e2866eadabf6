"""EU-ADR: gene-disease associations (van Mulligen et al., 2012), ten folds in one command.

    python -m experiments.relation --config=configs/relation/euadr.py --workdir=runs/euadr \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR holds folders 1 to 10, each with train.tsv and test.tsv; without it they are downloaded.
`--config.dataset.fold=3` runs one fold. The same command resumes an interrupted run.

Published for BioBERT v1.1, F1 of the positive class: 85.13 (elsewhere than in the article).
Not measured here: no BioBERT weights were available. What was measured is in docs/results.md.
"""

from biobert_jax.configuration.relation import relation


def get_config(variant: str = ""):
    return relation("euadr", variant)
