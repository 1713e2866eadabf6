"""Measures contenders, each in a process of its own.

On a CPU they take turns, a round each, waiting while another runs, so that a change in the
machine's speed meets all of them. On a GPU, whose memory a waiting process would keep, they come
one after the other. Ratios are taken between rounds of one number, and their spread over rounds.
"""

import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from biobert_jax.training.huge_pages import TUNABLES

Step = tuple[int, Callable[[], Any]]
"""What a step that was started gets done (real tokens), and what waits for its end."""

Contender = tuple[Callable[..., Iterator[Step]], dict[str, Any]]
"""A generator function of steps, and its options; `huge_pages` and `library` are read here."""

PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "V100": 125e12}
"""Dense bfloat16 (V100: float16) operations per second, by NVIDIA's data sheets."""


class Measured(NamedTuple):
    """Of one contender.

    Attributes:
      speeds: units per second, one of each round.
      seconds: of a step, one of each round.
      first_step: seconds until the first step was done, compilation included.
      peak_bytes: of the device's memory, or of the process on a CPU.
      failure: why it could not run, or nothing.
    """

    speeds: list[float]
    seconds: list[float]
    first_step: float = 0.0
    peak_bytes: int = 0
    failure: str = ""


def measure(
    contenders: Mapping[str, Contender],
    arguments: tuple[Any, ...],
    rounds: int,
    steps: int,
    warmup: int,
    in_turns: bool = True,
    restarts: int = 0,
) -> Iterator[dict[str, Measured]]:
    """Runs `rounds` rounds of `steps` steps of each contender, each after `warmup` steps.

    The steps before a round are not counted: the first ones of a process that has waited are slow
    where the machine has taken back what it did not use, libraries' pages among it. A contender
    that fails is left out from then on; the others continue.

    Args:
      contenders: by name.
      arguments: that each generator function takes before its options.
      rounds, steps, warmup: how much.
      in_turns: a round of each at a time; else all rounds of one before the next one starts.
      restarts: how often all of that is done again, in new processes.

    Yields:
      What is known so far, of all that have been begun: after each round, or each contender.
    """
    found: dict[str, Measured] = {}
    groups = [list(contenders)] if in_turns else [[name] for name in contenders]
    for group in groups * (1 + restarts):
        pipes = {}
        for name in group:
            pipes[name] = _start(contenders[name], (arguments, steps, warmup))
            found.setdefault(name, Measured([], []))
            _receive(pipes, found, name)
        for number in range(rounds):
            for name in list(pipes):
                pipes[name].send(True)
                _receive(pipes, found, name)
            if in_turns:
                speeds = {name: round(found[name].speeds[-1]) for name in pipes}
                print(f"round {number + 1}", speeds, flush=True)
                yield found
        for pipe in pipes.values():
            pipe.send(False)
            pipe.close()
        for process in multiprocessing.active_children():
            process.join(60)  # it gives a GPU's memory back only then
        if not in_turns:
            print(group[0], found[group[0]].speeds, flush=True)
            yield found


def _start(contender: Contender, arguments: tuple[Any, ...]):
    """Starts a contender's process; it tells at the other end how it gets on."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    # The C library reads this when a process starts. `experiments` set it for themselves.
    os.environ["GLIBC_TUNABLES"] = TUNABLES if contender[1].get("huge_pages") else ""
    context.Process(target=_work, args=(contender, *arguments, there), daemon=True).start()
    there.close()  # so that a contender that dies is noticed
    return here


def _receive(pipes: dict[str, Any], found: dict[str, Measured], name: str) -> None:
    """Notes down what a contender says; drops it where it has failed."""
    measured = found[name]
    try:
        said = pipes[name].recv()
    except EOFError:
        said = "its process died"
    if isinstance(said, str):
        print(f"{name} failed: {said}", flush=True)
        found[name] = measured._replace(failure=said)
        pipes.pop(name).close()
    elif isinstance(said, float):
        found[name] = measured._replace(first_step=said)
    else:
        done, elapsed, steps, peak = said
        found[name] = measured._replace(
            speeds=[*measured.speeds, done / elapsed],
            seconds=[*measured.seconds, elapsed / steps],
            peak_bytes=peak,
        )


def save(path: Path | None, found: Mapping[str, Measured], **about: Any) -> None:
    """Writes what is known so far as JSON, where a path is given.

    All the time, since a command may be ended from outside.
    """
    if path is not None:
        known = {name: measured._asdict() for name, measured in found.items()}
        path.write_text(json.dumps({**about, "found": known}, indent=2) + "\n", encoding="utf-8")


def complete(found: Mapping[str, Measured]) -> dict[str, Measured]:
    """Those that have not failed."""
    return {name: measured for name, measured in found.items() if not measured.failure}


def device() -> tuple[str, float]:
    """The accelerator's name and its peak, from a process that leaves it alone; a CPU has none."""
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        told = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "CPU", 0.0
    name = told.split("\n")[0]
    return name, next((peak for part, peak in PEAKS.items() if part in name), 0.0)


def ratios(found: Mapping[str, Measured], name: str, reference: str) -> str:
    """The median of the rounds' ratios, and their range."""
    pairs = zip(found[name].speeds, found[reference].speeds, strict=True)
    values = [ours / theirs for ours, theirs in pairs]
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def _work(contender, arguments, steps, warmup, connection) -> None:
    function, options = contender
    try:
        started = time.perf_counter()
        run = function(*arguments, options)
        _, wait = next(run)
        wait()
        connection.send(time.perf_counter() - started)
        while connection.recv():
            _make(run, warmup)
            started = time.perf_counter()
            done = _make(run, steps)
            elapsed = time.perf_counter() - started
            connection.send((done, elapsed, steps, peak_bytes(options)))
    except Exception as error:  # whatever a contender may raise: the others continue
        traceback.print_exc()
        connection.send(f"{type(error).__name__}: {str(error).strip()}".split("\n")[0][:200])


def _make(run: Iterator[Step], steps: int) -> int:
    """Makes some steps, and is back when the last one is done."""
    done, wait = 0, None
    for _ in range(steps):
        units, wait = next(run)
        done += units
    if wait is not None:
        wait()
    return done


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
