"""BioASQ with and without SQuAD first (section 4.3 of the paper).

    python -m experiments.sweep --config=configs/sweeps/squad_first.py --workdir=sweeps/squad \
        --config.init=INIT --config.squad=SQUAD_FOLDER --config.bioasq=BIOASQ_FOLDER
"""

import ml_collections

from biobert_jax.sweeps.plan import SweepRun
from biobert_jax.sweeps.recipes import over_seeds


def get_config(variant: str = ""):
    config = ml_collections.ConfigDict()
    suffix = f":{variant}" if variant else ""
    config.first = f"qa/squad{suffix}"
    config.then = f"qa/bioasq_6b{suffix}"
    config.init = "random"
    config.squad = config.bioasq = ""  # folders; empty: configs find or download the sets
    config.seeds = (1, 2, 3)
    return config


def get_runs(config):
    folders = {
        name: {"dataset.path": path} if path else {}
        for name, path in (("squad", config.squad), ("bioasq", config.bioasq))
    }
    yield SweepRun("squad", config.first, {"init": config.init} | folders["squad"])
    for name, init in (("without", config.init), ("with", "{squad}")):
        yield from over_seeds(name, config.then, config.seeds, init=init, **folders["bioasq"])
