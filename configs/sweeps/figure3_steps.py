"""Figure 3 of the paper: scores against the number of pre-training steps.

    python -m experiments.sweep --config=configs/sweeps/figure3_steps.py --workdir=sweeps/figure3 \
        --config.init=INIT --config.data=DATA "--config.corpora=(('corpora/pubmed', 1.0),)"

A checkpoint on the way has not decayed its learning rate; a run of that length has. The paper shows
the former, from one run. --config.decayed=True pre-trains one run per length instead.
"""

from biobert_jax.sweeps.defaults import settings
from biobert_jax.sweeps.recipes import fine_tunings, pretraining


def get_config(variant: str = ""):
    config = settings(variant)
    config.steps = tuple(range(25_000, 200_001, 25_000))
    config.decayed = False
    if variant == "debug":
        config.steps = (10, 20)
    return config


def get_runs(config):
    given = dict(config.pretraining)
    if not config.decayed:
        given |= {"train.steps": config.steps[-1], "checkpoint.keep_steps": tuple(config.steps)}
        yield pretraining("pretraining", config.pretrain, config.corpora, config.init, given)
    for steps in config.steps:
        encoder = f"{{pretraining}}@{steps}"
        if config.decayed:
            name = f"steps-{steps}/pretraining"
            own = given | {"train.steps": steps}
            yield pretraining(name, config.pretrain, config.corpora, config.init, own)
            encoder = f"{{{name}}}"
        yield from fine_tunings(
            f"steps-{steps}",
            encoder,
            config.sets,
            config.data,
            config.seeds,
            dict(config.finetuning),
        )
