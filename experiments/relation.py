"""Fine-tunes and scores relation extraction; sets in folds, all folds in one command.

python -m experiments.relation --config=configs/relation/gad.py --workdir=runs/gad \
    --config.init=INIT --config.dataset.path=DIR --config.seed=1
"""

from biobert_jax.launcher.flags import launch

if __name__ == "__main__":
    launch("relation")
