"""Figure 2 of the paper: scores against the words of PubMed that were pre-trained on.

    python -m experiments.sweep --config=configs/sweeps/figure2_corpus_size.py \
        --workdir=sweeps/figure2 --config.init=INIT --config.data=DATA \
        "--config.corpora=(('corpora/pubmed', 1.0),)"
    biobert report --runs sweeps/figure2 --output report

Smaller subsets are contained in larger ones; the number of steps is the same for all.
"""

from biobert_jax.sweeps.defaults import settings
from biobert_jax.sweeps.recipes import fine_tunings, pretraining


def get_config(variant: str = ""):
    config = settings(variant)
    config.words = (500_000_000, 1_000_000_000, 2_000_000_000, 3_000_000_000, 4_500_000_000)
    if variant == "debug":
        config.words = (20_000, 40_000)
    return config


def get_runs(config):
    for words in config.words:
        name = f"words-{words}/pretraining"
        given = dict(config.pretraining) | {"dataset.max_words": words}
        yield pretraining(name, config.pretrain, config.corpora, config.init, given)
        encoder = f"{{{name}}}"
        yield from fine_tunings(
            f"words-{words}",
            encoder,
            config.sets,
            config.data,
            config.seeds,
            dict(config.finetuning),
        )
