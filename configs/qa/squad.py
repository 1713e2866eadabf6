"""SQuAD v1.1 (Rajpurkar et al., 2016), on which BioASQ's runs start.

    python -m experiments.qa --config=configs/qa/squad.py --workdir=runs/squad \
        --config.init=INIT --config.dataset.path=DIR

DIR has train-v1.1.json and dev-v1.1.json; without dataset.path TFDS downloads them. With dev alone
(in one file or several), four fifths of it are trained on and the other articles validate: no score
to compare with anybody's.

Published for BioBERT v1.1, no score of its own on SQuAD; BERT base (Devlin et al.) 80.8 / 88.5.
Not measured here: no BERT or BioBERT weights were available. See docs/results.md.
"""

from biobert_jax.configuration.qa import qa


def get_config(variant: str = ""):
    config = qa("squad", "span", variant)
    config.dataset.validation_share = 0.2
    if not variant:
        config.train.epochs = 2
        config.optimizer.learning_rate = 3e-5
    return config
