"""BioASQ 7b, list questions: beyond the paper, as its authors did in the 7th BioASQ.

    python -m experiments.qa --config=configs/qa/bioasq_7b_list.py --workdir=runs/bioasq_7b_list \
        --config.init=runs/squad --config.dataset.path=DIR

DIR has the golden files; 7B_golden.json is tested on and those of other years are trained on,
unless dataset.train names BioASQ's own training file (training7b.json, after registration). A fifth
of the training questions validates.
"""

from biobert_jax.configuration.qa import qa


def get_config(variant: str = ""):
    config = qa("bioasq_7b", "list", variant)
    config.dataset.test_passages = "snippets"
    config.dataset.validation_share = 0.2
    return config
