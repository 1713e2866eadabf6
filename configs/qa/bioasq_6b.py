"""BioASQ 6b, factoid questions (Tsatsaronis et al., 2015).

    python -m experiments.qa --config=configs/qa/bioasq_6b.py --workdir=runs/bioasq_6b \
        --config.init=runs/squad --config.dataset.path=DIR

DIR has BioBERT's BioASQ-train-factoid-6b.json and BioASQ-test-factoid-6b-1.json to -5.json, and
BioASQ's golden files 6B1_golden.json to 6B5_golden.json. Where the training file is missing,
another year's (7b) replaces it, without the questions of any golden file, and a warning says
so. The learning rate and the epochs are those of BioBERT's README.

Recalled for BioBERT v1.1 in the article, not confirmed: strict 42.86, lenient 57.77, MRR 48.43.
Not measured here: no BioBERT weights were available. What was measured is in docs/results.md.
"""

from biobert_jax.configuration.qa import qa


def get_config(variant: str = ""):
    return qa("bioasq_6b", "factoid", variant)
