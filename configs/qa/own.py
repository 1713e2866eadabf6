"""Your own questions with passages, in SQuAD's form.

    python -m experiments.qa --config=configs/qa/own.py --workdir=runs/own \
        --config.init=INIT --config.dataset.path=DIR --config.seed=1

DIR has train*.json, and dev*.json or test*.json. With one of them alone, a fifth of its articles
validates. results.json names the data set after DIR.

The settings are those of SQuAD. No score is known: it is your data.
"""

from biobert_jax.configuration.qa import qa


def get_config(variant: str = ""):
    config = qa("own", "span", variant)
    config.dataset.validation_share = 0.2
    if not variant:
        config.train.epochs = 2
        config.optimizer.learning_rate = 3e-5
    return config
