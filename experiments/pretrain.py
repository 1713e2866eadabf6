"""Pre-trains, or resumes pre-training, on token shards.

python -m experiments.pretrain --config=configs/pretrain/biobert_v1_0_pubmed.py --workdir=runs/p \
    "--config.dataset.corpora=(('CORPUS_FOLDER', 1.0),)"
"""

from biobert_jax.launcher.flags import launch

if __name__ == "__main__":
    launch("pretraining")
