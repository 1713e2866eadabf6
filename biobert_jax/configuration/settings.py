"""The settings that all tasks have: which values each may have, and what must hold between them.

`defaults.py` has their default values. A setting that only one task has is in that task's file.
"""

import re
from collections.abc import Sequence
from typing import Any

from biobert_jax.configuration.defaults import attention_dropout
from biobert_jax.configuration.schema import (
    Rule,
    Setting,
    number,
    one_of,
    optional,
    pair,
    several,
    switch,
    text,
    whole,
)

AXES = ("data", "fsdp", "tensor")
"""Of the mesh: `data` replicates parameters, `fsdp` shards them and gathers them layer by layer,
`tensor` shards the computation within a layer, too."""


def _is_rule(value: Any) -> bool:
    """Whether a value is (regular expression, mesh axes for each dimension)."""
    if not isinstance(value, tuple | list) or len(value) != 2 or not isinstance(value[0], str):
        return False
    try:
        re.compile(value[0])
    except re.error:
        return False
    return isinstance(value[1], tuple | list) and all(
        axis is None or axis in AXES or (isinstance(axis, tuple | list) and set(axis) <= set(AXES))
        for axis in value[1]
    )


_axis = Setting(
    lambda value: (
        isinstance(value, int)
        and not isinstance(value, bool)
        and value in range(-1, 2**20)
        and value != 0
    ),
    "a number of devices, at least 1; or -1 on one axis, which takes those that the others leave",
)
_rate = number(above=0, note="a learning rate")
_seed = whole(note="random generators take no other seeds")

SETTINGS = {
    "seed": _seed,
    "init": text("`random`, a workdir, a folder, hf://owner/name or a prefix", empty=False),
    "vocab": text("a vocab.txt, for init=random"),
    "lowercase": switch(),
    "vocab_size": whole(7, note="five special tokens and letters"),
    "profile.start": whole(1, note="the first step to trace"),
    "profile.steps": whole(note="steps to trace; 0: none"),
    "log_every": whole(1, note="steps"),
    "upload_every": number(0, note="seconds; 0: at checkpoints only"),
    "model.hidden_size": whole(1),
    "model.num_hidden_layers": whole(1, 1024),
    "model.num_attention_heads": whole(1),
    "model.intermediate_size": whole(1),
    "model.max_position_embeddings": whole(1),
    "model.dropout": number(0, below=1, note="a share of values that are dropped"),
    "model.attention_dropout": optional(number(-1, below=1, note="a share; -1: model.dropout")),
    "model.initializer_range": optional(number(above=0)),
    "model.layer_norm_eps": optional(number(above=0)),
    "model.hidden_act": optional(text(empty=False)),
    "model.type_vocab_size": optional(whole(2)),
    "compute.dtype": one_of("float32", "bfloat16"),
    "compute.attention": one_of("auto", "xla", "cudnn", "pallas_tpu", "pallas_gpu"),
    "compute.dropout": one_of("hash", "rbg", "threefry"),
    "compute.remat": one_of("none", "dots", "full"),
    "compute.unroll": whole(-1, note="layers; 0: all, -1: by platform"),
    "mesh.data": _axis,
    "mesh.fsdp": _axis,
    "mesh.tensor": _axis,
    "mesh.slices": whole(0, 2**20, note="0: as many as the devices are of"),
    "mesh.rules": several(
        Setting(_is_rule, f"(regular expression, (an axis of {', '.join(AXES)} or None, ...))")
    ),
    "batch.packed": switch(),
    "batch.row_length": whole(1, note="pieces"),
    "batch.max_sequences": whole(1, note="that a row may hold"),
    "batch.sequences": whole(1, note="per step, on average"),
    "batch.rows": whole(0, note="per step; 0: as many as hold batch.sequences"),
    "batch.eval_rows": whole(1),
    "train.epochs": whole(1),
    "train.steps": whole(0, note="0: as many as the epochs have"),
    "train.micro_batch": Setting(
        lambda value: (
            isinstance(value, str) and re.fullmatch("all|auto|[1-9][0-9]{0,8}", value) is not None
        ),
        "'all', 'auto' or a number of rows as text",
    ),
    "train.evaluate_every": whole(0, note="steps; 0: at the end only"),
    "train.select": one_of("last", "best"),
    "train.test": switch(),
    "optimizer.name": one_of("bert", "adamw"),
    "optimizer.learning_rate": _rate,
    "optimizer.warmup_share": number(0, below=1, note="of all steps"),
    "optimizer.warmup_steps": whole(0, note="0: warmup_share of all steps"),
    "optimizer.weight_decay": number(0),
    "optimizer.clip_norm": number(above=0, note="the largest norm that a gradient keeps"),
    "optimizer.b1": number(0, below=1),
    "optimizer.b2": number(0, below=1),
    "optimizer.eps": number(above=0),
    "optimizer.freeze_encoder_steps": whole(0, note="in which the heads alone learn"),
    "checkpoint.every": whole(0, note="steps; 0: at the end only"),
    "checkpoint.keep_last": whole(1),
    "checkpoint.keep_best": whole(0),
    "checkpoint.keep_steps": several(whole(1)),
    "checkpoint.asynchronous": switch(),
    "loader.threads": whole(0, 1024),
    "loader.prefetch": whole(1, note="batches that are prepared ahead"),
    "distributed.connect_timeout": number(1, note="seconds"),
    "distributed.lost_timeout": number(1, note="seconds"),
    "distributed.stall_timeout": number(0, note="seconds; 0: never"),
    "trials.folds": switch(),
    "trials.seeds": several(_seed),
    "trials.learning_rates": several(_rate),
    "trials.at_once": whole(0, note="0: all, on a CPU one"),
    # What a sweep varies. It describes no run: `training.workdir` lets it change.
    "search_space": optional(
        several(
            pair(
                text(empty=False),
                Setting(lambda values: isinstance(values, tuple | list) and len(values) > 0, ""),
                "(the dotted name of a setting, (its values, ...))",
            )
        )
    ),
}


def heads_divide_hidden_size(config: Any) -> str | None:
    size, heads = config.model.hidden_size, config.model.num_attention_heads
    if size % heads:
        return (
            f"config.model.hidden_size is {size} and num_attention_heads {heads}; expected a "
            "multiple of the heads"
        )
    return None


def one_axis_takes_the_rest(config: Any) -> str | None:
    sizes = {axis: config.mesh[axis] for axis in AXES}
    if list(sizes.values()).count(-1) > 1:
        return f"config.mesh is {sizes}; expected -1 on one axis at most"
    return None


def heads_divide_by_tensor(config: Any) -> str | None:
    """Of a model that starts afresh; `training.sharding.check_divides` asks of every model."""
    heads, parts = config.model.num_attention_heads, config.mesh.tensor
    if config.init == "random" and parts > 0 and heads % parts:
        return (
            f"config.mesh.tensor is {parts} and config.model.num_attention_heads {heads}; heads "
            "are spread over tensor: take a divisor of them"
        )
    return None


def attention_has_this_dropout(config: Any) -> str | None:
    """Kernels differ in the dropout they can draw, whatever the device; see models/attention.py."""
    kernel, rate = config.compute.attention, attention_dropout(config)
    if kernel == "cudnn" and rate:
        return (
            f"config.compute.attention is 'cudnn', which has no dropout, and that of attention is "
            f"{rate}; take attention=auto, or config.model.attention_dropout=0"
        )
    if kernel == "cudnn" and config.compute.dtype != "bfloat16":
        return "config.compute.attention is 'cudnn', which needs config.compute.dtype=bfloat16"
    if kernel.startswith("pallas") and rate and config.compute.dropout != "hash":
        return (
            f"config.compute.attention is {kernel!r}, which draws dropout by 'hash', and "
            f"config.compute.dropout {config.compute.dropout!r}; set it to hash"
        )
    return None


def remat_needs_a_loop(config: Any) -> str | None:
    if config.compute.remat != "none" and config.compute.unroll == 0:
        return (
            f"config.compute.remat is {config.compute.remat!r} and config.compute.unroll 0, which "
            "leaves it without effect; set unroll to 1 or -1"
        )
    return None


def best_needs_evaluations(config: Any) -> str | None:
    if config.train.select == "best" and not config.train.evaluate_every:
        return (
            "config.train.select is 'best' and config.train.evaluate_every 0: only the last state "
            "would be scored. Set evaluate_every to a number of steps, or select=last"
        )
    return None


def trials_share_a_program(config: Any) -> str | None:
    """What several runs in one program cannot have; see training/several/stacked.py."""
    trials = config.trials
    if not (trials.folds or trials.seeds or trials.learning_rates):
        if trials.at_once:
            return (
                f"config.trials.at_once is {trials.at_once}, and the config names no trials; set "
                "trials.seeds, trials.learning_rates or trials.folds"
            )
        return None
    for name, value, needed in (
        ("train.select", config.train.select, "last"),
        ("train.evaluate_every", config.train.evaluate_every, 0),
        ("train.micro_batch", config.train.micro_batch, "all"),
        *([("train.test", config.train.test, True)] if trials.folds else []),
        ("mesh.fsdp", config.mesh.fsdp, 1),
        ("mesh.tensor", config.mesh.tensor, 1),
        ("checkpoint.keep_steps", tuple(config.checkpoint.keep_steps), ()),
    ):
        if value != needed:
            return (
                f"config.{name} is {value!r} and config.trials asks for several runs in one; "
                f"trials need {needed!r} there, or run them one by one"
            )
    return None


RULES: Sequence[Rule] = (
    heads_divide_hidden_size,
    one_axis_takes_the_rest,
    heads_divide_by_tensor,
    attention_has_this_dropout,
    remat_needs_a_loop,
    best_needs_evaluations,
    trials_share_a_program,
)


def windows_fit(config: Any) -> str | None:
    """For tasks whose sequences are windows of text."""
    longest = config.windows.max_length
    if longest > config.batch.row_length:
        return (
            f"config.windows.max_length is {longest} and config.batch.row_length "
            f"{config.batch.row_length}; a row must hold a window"
        )
    positions = config.model.max_position_embeddings
    if config.init == "random" and longest > positions:
        return (
            f"config.windows.max_length is {longest} and config.model.max_position_embeddings "
            f"{positions}; lower the first or raise the second"
        )
    return None


def own_data_has_a_path(config: Any) -> str | None:
    """For tasks with a config `own`: nothing is downloaded for it."""
    if config.dataset.name == "own" and not config.dataset.path:
        return "config.dataset.path is empty; expected the folder of your own data"
    return None
