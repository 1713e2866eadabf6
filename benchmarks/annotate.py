"""Speed of annotating abstracts: beside transformers' pipeline, and beside the bare forward pass.

    python -m benchmarks.annotate --model runs/ncbi --input abstracts.jsonl --documents 1000

All take turns in one process, a round each, so that a change in the machine's speed meets all of
them; on other documents in each round, the same for all. Processor time is given beside wall time,
since it does not depend on what else a machine does; pin the process to one core (taskset -c 0).

The pipeline gets what our run was converted to, on whole abstracts (windows of 512 pieces that
share 128 where one is longer), with aggregation_strategy="first", one by one and in batches of 8:
both are measured. `forward` runs our compiled model on rows that are laid out already and reads
nothing
off its outputs.
"""

import argparse
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from typing import Any

import jax

import biobert_jax
from biobert_jax.inference import annotate as ours
from biobert_jax.inference.inputs import read_documents
from biobert_jax.inference.model import TEXTS_AT_ONCE, Model
from biobert_jax.inference.text_arguments import chunks


def forward(model: Model) -> Callable[[list[str]], int]:
    """The compiled model on what `annotate` gives it, laid out beforehand."""
    batches: dict[int, list[Any]] = {}
    annotator = model.annotator

    def run(texts: list[str]) -> int:
        tokens = 0
        for batch in batches[id(texts)]:
            jax.block_until_ready(annotator.apply(annotator.params, batch))
            tokens += int((batch["segment_ids"] > 0).sum())
        return tokens

    def prepare(texts: list[str]) -> None:
        """Records the batches of a real run."""
        seen = batches[id(texts)] = []

        def apply(params, batch):
            seen.append({name: jax.device_put(value) for name, value in batch.items()})
            return annotator.apply(params, batch)

        recording = type(annotator)(**{**vars(annotator), "apply": apply})
        for some in chunks(texts, TEXTS_AT_ONCE):
            ours.annotate(recording, some)

    run.prepare = prepare  # type: ignore[attr-defined]
    return run


def pipeline(folder: str, batch: int, threads: int) -> Callable[[list[str]], int]:
    """transformers' own, in PyTorch."""
    import torch  # pyright: ignore[reportMissingImports]
    import transformers  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(threads)
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        folder, model_max_length=512, use_fast=True
    )
    run: Any = transformers.pipeline(
        "token-classification",
        model=folder,
        tokenizer=tokenizer,
        aggregation_strategy="first",
        stride=128,
        batch_size=batch,
        device="cpu",
    )
    return lambda texts: len(list(run(texts)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--input", required=True)
    parser.add_argument("--documents", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--without-transformers", action="store_true")
    arguments = parser.parse_args()

    model = biobert_jax.load(arguments.model)
    documents = itertools.islice(read_documents(arguments.input), arguments.documents)
    texts = [document.text for document in documents]
    size = -(-len(texts) // arguments.rounds)
    rounds = [texts[i : i + size] for i in range(0, len(texts), size)]
    bare = forward(model)
    contenders: dict[str, Callable[[list[str]], Any]] = {
        "annotate": model.annotate,
        "forward": bare,
    }
    if not arguments.without_transformers:
        from biobert_jax.interop.huggingface import write_huggingface

        folder = tempfile.mkdtemp()
        read = model.checkpoint
        parts = (read.config, read.params, read.vocabulary, read.lowercase, read.labels)
        write_huggingface(folder, *parts)
        for batch in (1, 8):
            name = f"transformers, batches of {batch}"
            contenders[name] = pipeline(folder, batch, arguments.threads)
    for name, run in contenders.items():  # compiles; the first of everything is slow
        if name != "forward":
            run(rounds[0][:20])
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for number, some in enumerate(rounds):
        bare.prepare(some)  # type: ignore[attr-defined]
        tokens = bare(some)
        for name, run in contenders.items():
            began, processor = time.perf_counter(), time.process_time()
            run(some)
            spent = (time.perf_counter() - began, time.process_time() - processor)
            found[name].append(spent)
        line = {name: [round(value, 2) for value in values[-1]] for name, values in found.items()}
        print(
            json.dumps({"round": number, "documents": len(some), "tokens": tokens} | line),
            flush=True,
        )
    for name, values in found.items():
        rates = [len(some) / spent for some, (_, spent) in zip(rounds, values, strict=True)]
        ratios = [a / b for (_, a), (_, b) in zip(values, found["annotate"], strict=True)]
        print(
            f"{name:28} {statistics.median(rates):8.2f} documents per processor second "
            f"({min(rates):.2f}-{max(rates):.2f}); time / annotate's "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        )


if __name__ == "__main__":
    main()
