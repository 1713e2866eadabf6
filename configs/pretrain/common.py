"""What the pre-training experiments share: BERT's regime, which BioBERT goes on with."""

import ml_collections

from configs.common import defaults, shrink

TOKENS_PER_BATCH = 131_072  # the paper's "words/batch": 256 rows of 512

# Figure 3 of the paper scores NER at checkpoints on the way to 200K steps.
FIGURE_3 = tuple(range(25_000, 200_001, 25_000))


def pretraining(variant: str, steps: int, keep_steps: tuple[int, ...] = ()):
    """MLM + NSP in batches of 131,072 positions, however many devices share them.

    Args:
      variant: "" or `debug`.
      steps: how long; the learning rate falls to 0 at their end.
      keep_steps: whose checkpoints are kept for ever.
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
    config.instances.max_predictions = 77  # per instance of 512; Google's scripts pass 20 for 128

    config.batch.row_length = 512
    config.batch.max_sequences = 8
    config.batch.rows = TOKENS_PER_BATCH // config.batch.row_length
    config.train.steps = steps
    config.train.evaluate_every = 5000
    config.optimizer.learning_rate = 1e-4
    config.optimizer.warmup_steps = 10_000
    config.compute.dtype = "bfloat16"
    config.checkpoint.every = 1000
    config.checkpoint.keep_steps = keep_steps
    config.loader.workers = 8
    config.log_every = 100
    if variant == "debug":
        shrink(config)
        config.compute.dtype = "float32"
        config.dataset.held_out = 20
        config.instances.max_predictions = 20
        config.batch.rows = 8
        config.train.steps = 40
        config.train.evaluate_every = 20
        config.optimizer.warmup_steps = 4
        config.checkpoint.every = 20
        config.checkpoint.keep_steps = ()
        config.loader.workers = 0
    elif variant:
        raise ValueError(f"variant {variant!r}: expected none or 'debug'")
    return config
