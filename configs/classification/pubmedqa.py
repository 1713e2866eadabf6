"""PubMedQA (Jin et al., 2019): yes, no or maybe to a question, from its abstract.

    python -m experiments.classification --config=configs/classification/pubmedqa.py \
        --workdir=runs/pubmedqa --config.init=INIT --config.dataset.path=ori_pqal.json

The split is the authors' own (450, 50 and 500 questions; --config.dataset.fold is one of ten).

Published (BLURB, accuracy): BERT 49.96, BioBERT 60.24, PubMedBERT 55.84; always yes is 55.2. No
BioBERT weights were available; docs/results/blurb.md has what was measured.
"""

from biobert_jax.configuration.classification import classification


def get_config(variant: str = ""):
    return classification("pubmedqa", variant)
