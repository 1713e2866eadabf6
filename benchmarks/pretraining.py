"""The pre-training step that benchmarks measure, on real documents or the generated corpus."""

import argparse
import dataclasses
import functools
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

SIZES = {
    "mini": {"hidden_size": 384, "num_hidden_layers": 6, "intermediate_size": 1536},
    "base": {"hidden_size": 768, "num_hidden_layers": 12, "intermediate_size": 3072},
    "large": {"hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 4096},
}
HEADS = {"mini": 12, "base": 12, "large": 16}
MAX_PREDICTIONS = {128: 20, 512: 77}  # of a sequence, as Google's scripts and README have it
BATCHES = 8  # different ones that a measurement goes through again and again


def argument_parser(description: str) -> argparse.ArgumentParser:
    """A command line with what `settings_of` reads, and `--json`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--size", choices=SIZES, default="mini")
    parser.add_argument("--rows", type=int, default=8, help="of a batch")
    parser.add_argument("--row-length", type=int, choices=MAX_PREDICTIONS, default=128)
    parser.add_argument("--shards", nargs="*", default=[], metavar="DIR")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    return parser


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """What is measured: size, rows, row_length, shards."""
    return {name: getattr(args, name) for name in ("size", "rows", "row_length", "shards")}


def architecture(settings: dict[str, Any], vocab_size: int):
    from biobert_jax.models.config import BertConfig

    size = settings["size"]
    return BertConfig(vocab_size=vocab_size, num_attention_heads=HEADS[size], **SIZES[size])


def batches_of(settings: dict[str, Any], compute: dict[str, Any], packed: bool):
    """The task and its endless batches: the same documents whether packed or not."""
    from biobert_jax.corpora import mixture
    from biobert_jax.corpora.store import ShardedCorpus
    from biobert_jax.input import row_streams as streams
    from biobert_jax.input.loader import Packing
    from biobert_jax.models.config import Compute
    from biobert_jax.models.heads import PretrainingModel
    from biobert_jax.tasks.pretraining.instances import InstanceOptions
    from biobert_jax.tasks.pretraining.task import PretrainingTask, subset
    from biobert_jax.text.wordpiece import WordPieceTokenizer
    from biobert_jax.text.wordpiece_trainer import train_vocabulary

    if settings["shards"]:
        corpora = [ShardedCorpus(folder) for folder in settings["shards"]]
        vocabulary = corpora[0].vocabulary
    else:
        vocabulary = train_vocabulary(mixture.generated_texts(), 8000, False)
        tokenizer = WordPieceTokenizer.from_vocabulary(vocabulary, False)
        corpora, vocabulary = [mixture.generated_corpus(tokenizer)], tokenizer.vocabulary
    length, rows = settings["row_length"], settings["rows"]
    limit = max(2, length // 64) if packed else 1
    task = PretrainingTask(
        training=[subset(corpus, 1)[0] for corpus in corpora],
        held_out=[],
        model=PretrainingModel(architecture(settings, len(vocabulary)), Compute(**compute)),
        options=InstanceOptions(max_length=length, max_predictions=MAX_PREDICTIONS[length]),
        vocabulary=vocabulary,
        row_length=length,
        max_sequences=limit,
        card={},
        seed=0,
    )
    stream = task.stream(Packing(length, limit), rows, range(rows))
    return task, streams.batches(stream, rows)


def make_step(
    settings: Mapping[str, Any], options: Mapping[str, Any]
) -> tuple[Any, Callable[..., Any], list[tuple[int, dict[str, Any]]]]:
    """Our training step as a config would have it.

    Args:
      settings: size, rows, row_length, shards.
      options: `compute`, as in a config; `packed`; `project_all` for MLM logits at every position;
        `attention_dropout`; `donate`, whether the step takes its state's memory over.

    Returns:
      A state, the jitted step (its `func`, with its `numbers` given) and the first batches with
      their real tokens.
    """
    import jax

    from biobert_jax.configuration.defaults import defaults
    from biobert_jax.input.packing import IGNORED
    from biobert_jax.launcher.start import platform_here
    from biobert_jax.models import attention
    from biobert_jax.training.optimizer import make_optimizer, schedule_numbers
    from biobert_jax.training.step import make_init, step_of

    compute = dict(options["compute"])
    rate = options.get("attention_dropout", 0.1)
    if compute.get("attention", "auto") == "auto":
        kind = (platform_here(), compute["dtype"], rate, compute.get("dropout", "hash"))
        compute["attention"] = attention.choose(*kind)
    task, source = batches_of(settings, compute, options.get("packed", True))
    config = dataclasses.replace(task.model.config, attention_probs_dropout_prob=rate)
    task.model = task.model.clone(config=config)
    run = defaults()
    optimizer, _ = make_optimizer(run.optimizer, 100_000)
    state = jax.jit(make_init(task, optimizer))(0)
    donated = (0,) if options.get("donate", True) else ()
    numbers = {"seed": 0, **schedule_numbers(run.optimizer, 100_000)}

    def train_step(state, batch, numbers):
        return step_of(run, task, numbers)(state, batch)

    # As in a run: seed and schedule are inputs of the compiled step.
    step = functools.partial(jax.jit(train_step, donate_argnums=donated), numbers=numbers)
    first = first_batches(source)
    if options.get("project_all"):
        for _, batch in first:
            ids = np.full_like(batch["input_ids"], IGNORED)
            positions = batch.pop("masked_lm_positions")
            np.put_along_axis(ids, positions, batch["masked_lm_ids"], axis=1)
            batch["masked_lm_ids"] = ids
    return state, step, first


def first_batches(source: Any) -> list[tuple[int, dict[str, Any]]]:
    """The first batches, each with its real tokens, to be gone through again and again.

    Made beforehand: what is measured is the step. `benchmarks.loader` measures the loader.
    """
    first = list(itertools.islice(source, BATCHES))
    source.close()
    return [(int((batch["segment_ids"] > 0).sum()), batch) for batch in first]
