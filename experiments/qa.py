"""Fine-tunes and scores question answering: SQuAD, then BioASQ from its workdir.

python -m experiments.qa --config=configs/qa/squad.py --workdir=runs/squad \
    --config.init=INIT --config.dataset.path=DIR
python -m experiments.qa --config=configs/qa/bioasq_6b.py --workdir=runs/bioasq_6b \
    --config.init=runs/squad --config.dataset.path=DIR
"""

from biobert_jax.launcher.flags import launch

if __name__ == "__main__":
    launch("qa")
