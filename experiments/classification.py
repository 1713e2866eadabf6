"""Fine-tunes and scores classification of texts, or of pairs of texts.

python -m experiments.classification --config=configs/classification/hoc.py --workdir=runs/hoc \
    --config.init=INIT --config.dataset.path=DIR --config.seed=1
"""

from biobert_jax.launcher.flags import launch

if __name__ == "__main__":
    launch("classification")
