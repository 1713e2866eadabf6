"""Fine-tunes and scores similarity of two texts.

python -m experiments.similarity --config=configs/similarity/biosses.py --workdir=runs/biosses \
    --config.init=INIT --config.dataset.path=DIR --config.seed=1
"""

from biobert_jax.launcher.flags import launch

if __name__ == "__main__":
    launch("similarity")
