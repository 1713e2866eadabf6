"""Settings of pre-training: BERT's regime, which BioBERT continues."""

from typing import Any

import ml_collections

from biobert_jax.configuration.defaults import defaults, shrink
from biobert_jax.configuration.schema import (
    Schema,
    number,
    one_of,
    optional,
    pair,
    several,
    switch,
    text,
    whole,
)

TOKENS_PER_BATCH = 131_072  # the paper's "words/batch": 256 rows of 512

# Figure 3 of the paper scores NER at checkpoints on the way to 200K steps.
FIGURE_3 = tuple(range(25_000, 200_001, 25_000))


def rows_fit(config: Any) -> str | None:
    length, positions = config.batch.row_length, config.model.max_position_embeddings
    if config.init == "random" and length > positions:
        return (
            f"config.batch.row_length is {length} and config.model.max_position_embeddings "
            f"{positions}; an instance may fill a row: lower the first or raise the second"
        )
    return None


def trials_read_planned_batches(config: Any) -> str | None:
    trials = config.trials
    if trials.folds or trials.seeds or trials.learning_rates:
        return "config.trials: pre-training has none; give one seed and one learning rate"
    return None


def something_is_read(config: Any) -> str | None:
    corpora = config.dataset.corpora
    if corpora and not any(weight > 0 for _, weight in corpora):
        return "config.dataset.corpora: every weight is 0; give one corpus a weight above 0"
    return None


SCHEMA = Schema(
    {
        "task": one_of("pretraining"),
        "dataset.name": text("of the corpora, for results.json"),
        "dataset.corpora": several(
            pair(
                text(empty=False),
                number(0),
                "(the folder of a corpus, a weight of at least 0 relative to the others')",
            )
        ),
        "dataset.max_words": whole(0, 2**63 - 1, note="0: all"),
        "dataset.held_out": whole(1, note="documents of each corpus, for evaluation"),
        "instances.next_sentence": switch(),
        "instances.whole_words": switch(),
        "instances.short_probability": number(0, 1),
        "instances.masked_share": number(above=0, below=1, note="of an instance's pieces"),
        "instances.max_predictions": whole(1, note="per instance"),
        "instances.static_copies": optional(whole(note="of each document; 0: new in every epoch")),
        "batch.row_length": whole(8, note="pieces"),
        "batch.rows": whole(1, note="per step"),
        "train.steps": whole(1),
        "loader.workers": whole(0, 1024, note="processes; must divide a process's rows"),
    },
    absent={
        "batch.sequences": "batch.rows is the batch size",
        "train.epochs": "train.steps is the length of training",
        "train.test": "there is no test split",
    },
    rules=(rows_fit, trials_read_planned_batches, something_is_read),
)


def pretraining(variant: str, steps: int, keep_steps: tuple[int, ...] = ()):
    """MLM + NSP in batches of 131,072 positions, however many devices share them.

    Args:
      variant: "" or `debug`.
      steps: how long; the learning rate falls to 0 at their end.
      keep_steps: whose checkpoints are kept permanently.
    """
    config = defaults()
    config.task = "pretraining"
    config.vocab_size = 28_996  # of BERT's cased vocabulary
    config.dataset = ml_collections.ConfigDict()
    config.dataset.name = ""
    # (folder, weight) of each corpus that `biobert corpus build` made; none: the generated corpus.
    # Weights say how much of the text that is read comes from each, relative to each other.
    config.dataset.corpora = ()
    config.dataset.max_words = 0  # of all corpora together, in proportion; 0: all
    config.dataset.held_out = 1000  # documents of each corpus that evaluation reads

    config.instances = ml_collections.ConfigDict()
    config.instances.next_sentence = True
    config.instances.whole_words = False
    config.instances.short_probability = 0.1
    config.instances.masked_share = 0.15
    config.instances.static_copies = 0  # 0: new pairs and masks in every epoch; or a dupe factor
    config.instances.max_predictions = 77  # per instance of 512; Google's scripts pass 20 for 128

    config.batch.row_length = 512
    config.batch.max_sequences = 8
    config.batch.rows = TOKENS_PER_BATCH // config.batch.row_length
    config.train.steps = steps
    config.train.micro_batch = "auto"  # so that the batch fits whatever devices there are
    config.train.evaluate_every = 5000
    config.optimizer.learning_rate = 1e-4
    config.optimizer.warmup_steps = 10_000
    config.compute.dtype = "bfloat16"
    config.checkpoint.every = 1000
    config.checkpoint.keep_steps = keep_steps
    config.loader.workers = 8  # processes; must divide a process's rows
    config.log_every = 100
    if variant == "debug":
        shrink(config)
        config.compute.dtype = "float32"
        config.dataset.held_out = 20
        config.instances.max_predictions = 20
        config.batch.rows = 8
        config.train.steps = 40
        config.train.micro_batch = "all"
        config.train.evaluate_every = 20
        config.optimizer.warmup_steps = 4
        config.checkpoint.every = 20
        config.checkpoint.keep_steps = ()
        config.loader.workers = 0
    elif variant:
        raise ValueError(f"variant {variant!r}: expected none or 'debug'")
    for name in SCHEMA.absent:
        section, _, setting = name.partition(".")
        del config[section][setting]
    return config
