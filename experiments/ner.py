"""Fine-tunes and scores named entity recognition.

python -m experiments.ner --config=configs/ner/ncbi_disease.py --workdir=runs/ncbi \
    --config.init=INIT --config.dataset.path=DIR --config.seed=1
"""

from biobert_jax.launcher.flags import launch

if __name__ == "__main__":
    launch("ner")
