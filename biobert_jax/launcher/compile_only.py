"""What a pre-training step would need on a TPU slice, without one: `--compile_only`.

python -m experiments.pretrain --config=configs/pretrain/biobert_v1_1_pubmed.py \
    --compile_only --topology=v5e:4x8 --slices=4
"""

import dataclasses
from pathlib import Path
from typing import Any

from biobert_jax.files import to_path


def run(config: Any, name: str, slices: int = 1, output: Path | None = None) -> None:
    """Compiles, prints, and raises DoesNotFit, which ends the program with status 1.

    Args:
      config: of a pre-training.
      name: of a slice, as in v5e:4x8.
      slices: how many.
      output: a JSON file for the numbers, if any.

    The architecture is that of `config.init` where it is a folder, else `config.model` with a
    vocabulary of `config.vocab_size`; no data and no weights are read.
    """
    import jax
    import numpy as np

    from biobert_jax.analysis.compile_only import compile_only, find_topology
    from biobert_jax.analysis.compile_report import print_compilation
    from biobert_jax.analysis.flops import training_flops
    from biobert_jax.corpora.mixture import MemoryCorpus
    from biobert_jax.corpora.shards import TokenDocument
    from biobert_jax.files import write_json
    from biobert_jax.launcher import start
    from biobert_jax.models.heads import PretrainingModel
    from biobert_jax.tasks.pretraining.instances import InstanceOptions
    from biobert_jax.tasks.pretraining.task import PretrainingCard, PretrainingTask, Subset
    from biobert_jax.text.wordpiece import SPECIAL_TOKENS

    jax.config.update("jax_enable_compilation_cache", False)  # it cannot hold what runs nowhere
    topology = find_topology(name, slices)
    sizes = architecture(config)
    limit = config.batch.max_sequences if config.batch.packed else 1
    others = range(sizes.vocab_size - len(SPECIAL_TOKENS))
    vocabulary = [*SPECIAL_TOKENS, *(f"piece{number}" for number in others)]
    # Only shapes matter; next sentences come from two documents at the least.
    text = TokenDocument("", np.zeros(1, np.int32), np.zeros(1, np.int32), 1)
    corpus = MemoryCorpus([text, text])
    task = PretrainingTask(
        training=[Subset(corpus, np.arange(2))],
        held_out=[],
        model=PretrainingModel(sizes, start.compute(config, platform="tpu")),
        options=InstanceOptions(max_length=config.batch.row_length, **config.instances),
        vocabulary=vocabulary,
        row_length=config.batch.row_length,
        max_sequences=limit,
        card=PretrainingCard(architecture=sizes, vocabulary=vocabulary, lowercase=False),
        seed=config.seed,
    )
    predicted = task.features["masked_lm_positions"].slots
    flops = training_flops(sizes, config.batch.rows, config.batch.row_length, predicted, limit)
    found = compile_only(config, task, topology, flops)
    print_compilation(found, topology)
    if output is not None:
        device = dataclasses.asdict(topology.device)
        about = {"topology": name, "slices": slices, "devices": len(topology.devices)}
        about["row_length"] = config.batch.row_length
        write_json(output, about | {"device": device, **dataclasses.asdict(found)})


def architecture(config: Any) -> Any:
    """Sizes, without fetching anything."""
    from biobert_jax.launcher import start
    from biobert_jax.models.config import BertConfig

    file = to_path(config.init) / "config.json"
    if file.is_file():
        return BertConfig.from_json_file(file)
    rates = start.dropout_rates(config)
    return BertConfig(vocab_size=config.vocab_size, **start.sizes(config), **rates)
