"""What sweeps over encoders share."""

import ml_collections

SETS = (
    ("ner/ncbi_disease", "NER/NCBI-disease"),
    ("ner/bc5cdr_disease", "NER/BC5CDR-disease"),
    ("ner/bc5cdr_chem", "NER/BC5CDR-chem"),
    ("ner/s800", "NER/s800"),
    ("ner/linnaeus", "NER/linnaeus"),
    ("ner/bc2gm", "NER/BC2GM"),
    ("ner/jnlpba", "NER/JNLPBA"),
    ("relation/gad", "RE/GAD"),
    ("relation/euadr", "RE/euadr"),
)
"""(config below configs/, folder below `config.data`) of the public sets, in BioBERT's layout."""


def settings(variant: str = "") -> ml_collections.ConfigDict:
    """Settings of a sweep that pre-trains and fine-tunes.

    `pretrain` names the pre-training config. `pretraining` and `finetuning` hold further settings
    as pairs, such as (("train.epochs", 3),). `sets` and `seeds` say what each encoder is fine-tuned
    on. `data` is the folder of the sets.

    Args:
      variant: empty, or `debug`: tiny encoders on generated data.

    Raises:
      ValueError: another variant.
    """
    config = ml_collections.ConfigDict()
    config.init = "hf://google-bert/bert-base-cased"
    config.data = ""
    config.corpora = ()  # (folder, weight) of shards; none: the generated corpus
    config.pretrain = "pretrain/biobert_v1_0_pubmed"
    config.sets = SETS
    config.seeds = (1, 2, 3, 4, 5)
    config.pretraining = ()
    config.finetuning = ()
    if variant == "debug":
        config.init = "random"
        config.pretrain += ":debug"
        config.sets = (("ner/ncbi_disease:debug",),)
        config.seeds = (1, 2)
    elif variant:
        raise ValueError(f"variant {variant!r}: expected none or 'debug'")
    return config
