"""Measures contenders in turns: each in a process of its own, waiting while another runs.

Rounds alternate, so that a change in the machine's speed meets all of them; ratios are taken within
a round and their spread over rounds.
"""

import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from biobert_jax.training.memory import TUNABLES

Contender = tuple[Callable[..., Iterator[int]], dict[str, Any]]
"""A generator function that yields what a step got done (real tokens) once it is done, and its
options; `huge_pages` is read here."""


class Measured(NamedTuple):
    """Of one contender.

    Attributes:
      speeds: units a second, one of each round.
      seconds: of a step, one of each round.
      first_step: seconds until the first step was done, compilation included.
      peak_bytes: of the device's memory, or of the process on a CPU.
    """

    speeds: list[float]
    seconds: list[float]
    first_step: float
    peak_bytes: int


def measure(
    contenders: Mapping[str, Contender],
    arguments: tuple[Any, ...],
    rounds: int,
    steps: int,
    warmup: int,
) -> dict[str, Measured]:
    """Runs `rounds` rounds of `steps` steps of each contender, after `warmup` steps.

    Args:
      contenders: by name.
      arguments: that each generator function takes before its options.
      rounds, steps, warmup: how much.
    """
    context = multiprocessing.get_context("spawn")
    pipes, first, peak = {}, {}, {}
    speeds: dict[str, list[float]] = {name: [] for name in contenders}
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for name, contender in contenders.items():
        here, there = context.Pipe()
        # The C library reads this when a process starts. `experiments` set it for themselves.
        os.environ["GLIBC_TUNABLES"] = TUNABLES if contender[1].get("huge_pages") else ""
        target = (contender, arguments, steps, warmup, there)
        context.Process(target=_work, args=target, daemon=True).start()
        there.close()  # so that a contender that dies is noticed, with its traceback above
        pipes[name] = here
        first[name] = here.recv()
    for number in range(rounds):
        for name, pipe in pipes.items():
            pipe.send(True)
            done, elapsed, peak[name] = pipe.recv()
            speeds[name].append(done / elapsed)
            seconds[name].append(elapsed / steps)
        print(f"round {number + 1}", {n: round(s[-1]) for n, s in speeds.items()}, flush=True)
    for pipe in pipes.values():
        pipe.send(False)
    return {n: Measured(speeds[n], seconds[n], first[n], peak[n]) for n in contenders}


def ratios(found: Mapping[str, Measured], name: str, reference: str) -> str:
    """The median of the rounds' ratios, and their range."""
    pairs = zip(found[name].speeds, found[reference].speeds, strict=True)
    values = [ours / theirs for ours, theirs in pairs]
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def _work(contender, arguments, steps, warmup, connection) -> None:
    function, options = contender
    started = time.perf_counter()
    run = function(*arguments, options)
    next(run)
    connection.send(time.perf_counter() - started)
    for _ in range(warmup):
        next(run)
    while connection.recv():
        started = time.perf_counter()
        done = sum(next(run) for _ in range(steps))
        connection.send((done, time.perf_counter() - started, peak_bytes(options)))


def peak_bytes(options: Mapping[str, Any]) -> int:
    """The most memory that this process has used, of a GPU where it computes on one."""
    if options.get("library") == "torch":
        import torch

        if torch.cuda.is_available():
            return torch.cuda.max_memory_allocated()
    else:
        import jax

        statistics_ = jax.local_devices()[0].memory_stats()
        if statistics_:
            return statistics_["peak_bytes_in_use"]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
