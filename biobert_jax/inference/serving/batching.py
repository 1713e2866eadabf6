"""Requests of many clients as batches for one model, in one thread, with a bounded queue."""

import asyncio
import collections
import dataclasses
import logging
import math
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from biobert_jax.inference.serving.limits import Limits
from biobert_jax.inference.serving.metrics import Metrics

logger = logging.getLogger(__name__)

Run = Callable[[Sequence[Any]], Sequence[Any]]
"""Gives a result for each item."""


class Busy(Exception):
    """The queue is full. `retry_after`: seconds after which there should be room."""

    def __init__(self, retry_after: int):
        super().__init__(f"too many texts are waiting; try again in {retry_after} s")
        self.retry_after = retry_after


class TooSlow(Exception):
    """There was no answer in time."""


@dataclasses.dataclass(eq=False)
class _Job:
    key: Hashable
    run: Run
    items: Sequence[Any]
    characters: int
    future: asyncio.Future
    loop: asyncio.AbstractEventLoop
    arrived: float = dataclasses.field(default_factory=time.monotonic)

    def finish(self, result: Sequence[Any] | Exception) -> None:
        def give() -> None:
            if self.future.done():  # given up
                return
            if isinstance(result, Exception):
                self.future.set_exception(result)
            else:
                self.future.set_result(result)

        try:
            self.loop.call_soon_threadsafe(give)
        except RuntimeError:
            # The loop ended with nobody left to wait; the thread must live for other requests.
            if not self.loop.is_closed():
                raise


class Batcher:
    """Runs items in batches of those that have the same key, in the order of arrival.

    While the model reads one batch, the next one gathers. Where one item of a batch makes `run`
    fail, each request of the batch is run by itself, so that only its own fails.
    """

    def __init__(self, limits: Limits, metrics: Metrics):
        self._limits = limits
        self._metrics = metrics
        self._jobs: collections.deque[_Job] = collections.deque()
        self._items = 0  # waiting
        self._characters = 0
        self._speed = 0.0  # characters per second, of late
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    async def submit(
        self, key: Hashable, run: Run, items: Sequence[Any], characters: int
    ) -> Sequence[Any]:
        """Runs items, perhaps together with those of other requests.

        Args:
          key: what must be equal for items to be run together.
          run: what to do; the same for equal keys.
          items: of this request.
          characters: their size, for the queue's limit.

        Returns:
          A result for each item.

        Raises:
          Busy: the queue is full.
          TooSlow: there is no result in time; the request has left the queue.
          Exception: what `run` raised for these items.
        """
        loop = asyncio.get_running_loop()
        job = _Job(key, run, items, characters, loop.create_future(), loop)
        with self._changed:
            room = self._items + len(items) <= self._limits.waiting
            room = room and self._characters + characters <= self._limits.waiting_characters
            if self._closed or (self._jobs and not room):
                raise Busy(self._seconds_to_wait())
            self._jobs.append(job)
            self._count(len(items), characters)
            self._changed.notify()
        try:
            return await asyncio.wait_for(job.future, self._limits.answer)
        except TimeoutError:
            raise TooSlow(f"no answer within {self._limits.answer:g} s") from None
        finally:
            self._forget(job)

    def close(self) -> None:
        """Ends the thread, once what waits is done."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _seconds_to_wait(self) -> int:
        seconds = self._characters / self._speed if self._speed else 1.0
        return min(60, max(1, math.ceil(seconds)))

    def _count(self, items: int, characters: int) -> None:
        self._items += items
        self._characters += characters
        self._metrics.waiting.set(self._items)

    def _forget(self, job: _Job) -> None:
        with self._changed:
            if job in self._jobs:  # given up before its turn
                self._jobs.remove(job)
                self._count(-len(job.items), -job.characters)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._closed:
                    self._changed.wait()
                if not self._jobs:
                    return
                self._gather()
                jobs = self._take()
            if jobs:
                self._run(jobs)

    def _gather(self) -> None:
        """Waits for more of the first job's kind, `limits.gather` seconds after it came."""
        while self._jobs and not self._closed:
            first = self._jobs[0]
            alike = sum(len(job.items) for job in self._jobs if job.key == first.key)
            left = first.arrived + self._limits.gather - time.monotonic()
            if left <= 0 or alike >= self._limits.batch:
                return
            self._changed.wait(left)

    def _take(self) -> list[_Job]:
        """The first job, and others of its key as far as a batch has room; in order."""
        taken: list[_Job] = []
        size = 0
        for job in list(self._jobs):
            fits = job.key == self._jobs[0].key if not taken else job.key == taken[0].key
            if fits and (not taken or size + len(job.items) <= self._limits.batch):
                taken.append(job)
                size += len(job.items)
        for job in taken:
            self._jobs.remove(job)
            self._count(-len(job.items), -job.characters)
        return taken

    def _run(self, jobs: list[_Job]) -> None:
        started = time.monotonic()
        items = [item for job in jobs for item in job.items]
        self._metrics.batch_texts.observe(len(items))
        try:
            results = jobs[0].run(items)
            if len(results) != len(items):
                raise RuntimeError(f"{len(results)} results for {len(items)} texts")
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].finish(error)
            else:
                for job in jobs:
                    self._run([job])
            return
        seconds = max(time.monotonic() - started, 1e-6)
        speed = sum(job.characters for job in jobs) / seconds
        self._speed = 0.8 * self._speed + 0.2 * speed if self._speed else speed
        begin = 0
        for job in jobs:
            job.finish(results[begin : begin + len(job.items)])
            begin += len(job.items)
