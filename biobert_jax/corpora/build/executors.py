"""Runs a function on many tasks: in this process, in several, or on a Ray cluster.

An engine yields results as they come, in any order. The function and its tasks must be picklable,
and what the function writes must be complete or absent, because a task may be run twice.
"""

import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from biobert_jax.errors import DataError, UserError

Task = TypeVar("Task")
Result = TypeVar("Result")

_RETRIES = 5  # of a task whose worker has died, on Ray


def run_local(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int
) -> Iterator[Result]:
    """Runs the tasks in `workers` processes, or in this one if `workers` is 1.

    Processes are spawned, not forked: forking a process that has threads can hang it.

    Raises:
      DataError: a worker was killed; what the function raises passes through.
    """
    if workers == 1:
        yield from map(function, tasks)
        return
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, context, initializer=_prepare_worker)
    try:
        # A few wait, so that tasks that carry their data need no memory for all of it.
        waiting, running = iter(tasks), set()
        while True:
            while len(running) < 2 * workers and (task := next(waiting, None)) is not None:
                running.add(executor.submit(function, task))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
    except KeyboardInterrupt:
        # What they write is complete or absent; waiting for them would take as long as a task does.
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    except BrokenProcessPool as error:
        raise DataError(
            "a worker process was killed, perhaps for want of memory; expected each to end by "
            "itself. Run the command again to resume, with fewer --workers if it was memory"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _prepare_worker() -> None:
    """Makes this process end with the one that started it, and not before.

    Ctrl-C reaches all processes of a terminal; it is left to that one. If that one is killed
    (SIGKILL, no memory), nothing would tell its workers: each holds the writing end of the queue
    that it waits for.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def run_ray(
    function: Callable[[Task], Result], tasks: Iterable[Task], workers: int
) -> Iterator[Result]:
    """Runs the tasks on the Ray cluster of RAY_ADDRESS, at most `workers` at a time, a CPU each.

    Nodes must see the same paths (a shared file system). Tasks of a node that dies are run again on
    others. Without a cluster, Ray starts one on this machine.

    Raises:
      DataError: ray is not installed; a task's workers died again and again; what the function
        raises passes through.
    """
    try:
        import ray  # pyright: ignore[reportMissingImports]
        from ray import exceptions  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise DataError(
            "--engine ray: ray is not installed; expected the package with its extra: "
            "pip install 'biobert_jax[ray]'"
        ) from error
    if not ray.is_initialized():
        try:
            ray.init(log_to_driver=False)
        except Exception as error:  # Ray has no class of its own for a node that does not start
            raise DataError(
                f"--engine ray: Ray did not start, or the cluster of RAY_ADDRESS does not answer "
                f"({str(error)[:200]}); expected a cluster. See ray status, or use --engine local"
            ) from error
    remote = ray.remote(num_cpus=1, max_retries=_RETRIES)(function)
    waiting = iter(tasks)
    running: list[ray.ObjectRef] = []
    try:
        while True:
            while len(running) < workers and (task := next(waiting, None)) is not None:
                running.append(remote.remote(task))
            if not running:
                return
            done, running = ray.wait(running, num_returns=1)
            yield ray.get(done[0])
    except exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise error.cause from error
        raise
    except exceptions.RayError as error:
        raise DataError(
            f"a Ray task died {_RETRIES + 1} times ({type(error).__name__}); expected at least one "
            "node to survive. See ray status, then run the command again to resume"
        ) from error
    finally:
        for reference in running:
            ray.cancel(reference, force=True)


ENGINES = {"local": run_local, "ray": run_ray}
