"""The default settings of all tasks; each file in configs/ changes what its result needs.

`settings.py` has the values that each may have.
"""

import ml_collections

# Which mesh axes spread which array: the first pattern that is found in its path decides. Stacked
# layers have a leading axis; qkv is [L, D, 3, H, Dh]. See training/sharding.py.
SHARDING_RULES = (
    ("word_embeddings/embedding$", ("tensor", "fsdp")),
    ("(position|token_type)_embeddings/embedding$", (None, "fsdp")),
    ("qkv/kernel$", (None, "fsdp", None, "tensor", None)),
    ("qkv/bias$", (None, None, "tensor", None)),
    ("attention/output/kernel$", (None, "tensor", None, "fsdp")),
    ("intermediate/kernel$", (None, "fsdp", "tensor")),
    ("intermediate/bias$", (None, "tensor")),
    ("mlp/output/kernel$", (None, "tensor", "fsdp")),
    ("(pooler|transform|classifier|span|nsp)/kernel$", ("fsdp", None)),
    ("mlm/bias$", ("tensor",)),
    ("(bias|scale)$", ()),
)


def defaults() -> ml_collections.ConfigDict:
    """Every setting that the training loop reads, with BERT's values."""
    config = ml_collections.ConfigDict()
    config.seed = 0
    # random | a workdir | a Hugging Face folder | hf://owner/name | a TensorFlow prefix
    config.init = "hf://dmis-lab/biobert-base-cased-v1.1"
    # For init=random: a vocab.txt (empty: one is trained on the training text) and its casing.
    config.vocab = ""
    config.lowercase = False
    config.vocab_size = 8000

    # For init=random: the architecture; else the checkpoint's. Dropout applies to both.
    config.model = ml_collections.ConfigDict()
    config.model.hidden_size = 768
    config.model.num_hidden_layers = 12
    config.model.num_attention_heads = 12
    config.model.intermediate_size = 3072
    config.model.max_position_embeddings = 512
    config.model.dropout = 0.1
    config.model.attention_dropout = -1.0  # of attention probabilities; -1: as model.dropout

    config.compute = ml_collections.ConfigDict()
    config.compute.dtype = "float32"  # or bfloat16; parameters, softmax and LayerNorm stay float32
    config.compute.attention = "auto"  # | xla | cudnn | pallas_tpu | pallas_gpu
    config.compute.dropout = "hash"  # where masks come from: hash | rbg | threefry
    config.compute.remat = "none"  # compute again in the backward pass: none | dots | full
    # Layers in one turn of the compiled loop; 0: all, which leaves remat without effect; -1: all on
    # a CPU without remat, one elsewhere.
    config.compute.unroll = -1

    # The axes multiply to the number of devices; -1 takes what the others leave. `fsdp` spreads
    # parameters and optimiser state, `tensor` the work within a layer.
    config.mesh = ml_collections.ConfigDict()
    config.mesh.data = -1
    config.mesh.fsdp = 1
    config.mesh.tensor = 1
    # `data` alone spans them. 0: as many as a TPU's devices are of, and one elsewhere.
    config.mesh.slices = 0
    config.mesh.rules = SHARDING_RULES

    config.batch = ml_collections.ConfigDict()
    config.batch.packed = True
    config.batch.row_length = 256
    config.batch.max_sequences = 32  # that a row may hold
    config.batch.sequences = 32  # per step, on average: the paper's batch size
    config.batch.rows = 0  # per step; 0: as many as hold `sequences`
    config.batch.eval_rows = 16

    config.train = ml_collections.ConfigDict()
    config.train.epochs = 10
    config.train.steps = 0  # 0: as many as the epochs have
    # Rows that a device takes at once; the rest of its batch follows. auto: as many as fit.
    config.train.micro_batch = "all"  # | auto | a number, as a string
    config.train.evaluate_every = 0  # steps; 0: at the end only
    config.train.select = "last"  # or best: the checkpoint with the highest validation score
    config.train.test = True  # score the test split at the end; the runs of a search do not

    config.optimizer = ml_collections.ConfigDict()
    config.optimizer.name = "bert"  # or adamw
    config.optimizer.learning_rate = 5e-5
    config.optimizer.warmup_share = 0.1
    config.optimizer.warmup_steps = 0  # 0: warmup_share of all steps
    config.optimizer.weight_decay = 0.01
    config.optimizer.clip_norm = 1.0
    config.optimizer.b1 = 0.9
    config.optimizer.b2 = 0.999
    config.optimizer.eps = 1e-6
    # Steps in which the heads alone learn; the encoder's moments, warm-up and decay begin after
    # them. 0: everything learns from the first step.
    config.optimizer.freeze_encoder_steps = 0

    config.checkpoint = ml_collections.ConfigDict()
    config.checkpoint.every = 200  # steps; 0: at the end only
    config.checkpoint.keep_last = 1
    config.checkpoint.keep_best = 1
    config.checkpoint.keep_steps = ()
    config.checkpoint.asynchronous = True

    config.loader = ml_collections.ConfigDict()
    config.loader.threads = 2
    config.loader.prefetch = 8  # batches that are prepared ahead

    # A trace of some steps in the workdir, for TensorBoard, Perfetto and `biobert profile`.
    config.profile = ml_collections.ConfigDict()
    config.profile.start = 10  # or the second step after a resume, where that is later
    config.profile.steps = 0  # 0: none

    # Several processes; seconds. docs/clusters.md says what each is for.
    config.distributed = ml_collections.ConfigDict()
    config.distributed.connect_timeout = 300.0
    config.distributed.lost_timeout = 60.0
    config.distributed.stall_timeout = 900.0  # longer than compilation, and than a save; 0: never

    # Several runs of one shape as one program: a trial for each fold, seed and learning rate;
    # () means the config's own.
    config.trials = ml_collections.ConfigDict()
    config.trials.folds = False  # all folds that dataset.fold names; only where a set has folds
    config.trials.seeds = ()
    config.trials.learning_rates = ()
    config.trials.at_once = 0  # that a device computes side by side; 0: all, on a CPU one

    config.log_every = 10
    config.upload_every = 60.0  # seconds; of the metrics of a workdir in a bucket
    return config


def shrink(config: ml_collections.ConfigDict) -> None:
    """Makes a config's `debug` variant: a tiny encoder, the generated corpus, seconds on a CPU."""
    config.init = "random"
    config.vocab_size = 1000
    config.model.hidden_size = 64
    config.model.num_hidden_layers = 2
    config.model.num_attention_heads = 2
    config.model.intermediate_size = 128
    config.batch.row_length = 128
    config.batch.sequences = 16
    config.batch.eval_rows = 8
    config.train.epochs = 12
    config.optimizer.learning_rate = 2e-3
    config.log_every = 5


def attention_dropout(config: ml_collections.ConfigDict) -> float:
    """The dropout of attention probabilities: `model.attention_dropout`, or `model.dropout`."""
    rate = config.model.get("attention_dropout", -1.0)
    return config.model.dropout if rate < 0 else rate
