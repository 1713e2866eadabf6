import asyncio
import threading
import time

import pytest

from biobert_jax.inference.serving.batching import Batcher, Busy, TooSlow
from biobert_jax.inference.serving.limits import Limits
from biobert_jax.inference.serving.metrics import Metrics


class Slow:
    """Doubles numbers, when it may; keeps what it was given."""

    def __init__(self):
        self.batches = []
        self.may = threading.Event()

    def __call__(self, items):
        assert self.may.wait(30)
        self.batches.append(list(items))
        if "poison" in items:
            raise ValueError("poison")
        return [2 * item for item in items]


def run(limits, program):
    """Runs a coroutine with a batcher, which it closes in the end."""
    batcher = Batcher(limits, Metrics())

    async def main():
        return await program(batcher)

    try:
        return asyncio.run(main())
    finally:
        batcher.close()


async def waiting(batcher, slow, *items, key="k"):
    """Tasks that are in the queue, behind one that the model works on."""
    first = asyncio.create_task(batcher.submit(key, slow, [0], 1))
    await asyncio.sleep(0)
    while batcher._items:
        await asyncio.sleep(0.001)
    tasks = []
    for item in items:
        tasks.append(asyncio.create_task(batcher.submit(key, slow, [item], 1)))
        await asyncio.sleep(0)
    return [first, *tasks]


def test_what_waits_is_run_together_and_everybody_gets_their_own():
    slow = Slow()

    async def program(batcher):
        tasks = await waiting(batcher, slow, 1, 2, 3, 4, 5)
        slow.may.set()
        return await asyncio.gather(*tasks)

    found = run(Limits(batch=3, gather=0.0), program)
    assert found == [[0], [2], [4], [6], [8], [10]]
    assert slow.batches == [[0], [1, 2, 3], [4, 5]]


def test_other_keys_keep_their_turn():
    slow, other = Slow(), Slow()
    other.may.set()

    async def program(batcher):
        tasks = await waiting(batcher, slow, 1)
        tasks.append(asyncio.create_task(batcher.submit("other", other, [7], 1)))
        await asyncio.sleep(0)
        tasks.append(asyncio.create_task(batcher.submit("k", slow, [2], 1)))
        await asyncio.sleep(0)
        slow.may.set()
        return await asyncio.gather(*tasks)

    assert run(Limits(gather=0.0), program) == [[0], [2], [14], [4]]
    assert slow.batches == [[0], [1, 2]]


def test_a_request_that_fails_fails_alone():
    slow = Slow()

    async def program(batcher):
        tasks = await waiting(batcher, slow, 1, "poison", 3)
        slow.may.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, one, poison, three = run(Limits(gather=0.0), program)
    assert (first, one, three) == ([0], [2], [6])
    assert isinstance(poison, ValueError)


def test_a_full_queue_refuses_and_says_when_to_return():
    slow = Slow()

    async def program(batcher):
        tasks = await waiting(batcher, slow, 1, 2)
        with pytest.raises(Busy) as busy:
            await batcher.submit("k", slow, [3], 1)
        slow.may.set()
        await asyncio.gather(*tasks)
        assert await batcher.submit("k", slow, [4], 1) == [8]  # there is room again
        return busy.value.retry_after

    assert 1 <= run(Limits(waiting=2), program) <= 60


def test_characters_fill_the_queue_too():
    slow = Slow()
    limits = Limits(body=10, text=10)

    async def program(batcher):
        tasks = await waiting(batcher, slow, 1)
        with pytest.raises(Busy):
            await batcher.submit("k", slow, [2], limits.waiting_characters)
        slow.may.set()
        await asyncio.gather(*tasks)

    run(limits, program)


def test_what_is_given_up_leaves_the_queue():
    slow = Slow()

    async def program(batcher):
        tasks = await waiting(batcher, slow, 1)
        with pytest.raises(TooSlow):
            await batcher.submit("k", slow, [2], 1)
        slow.may.set()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(Limits(answer=0.2, gather=0.0), program)
    assert [2] not in slow.batches
    assert all(2 not in batch for batch in slow.batches)


def test_closing_ends_what_waits():
    slow = Slow()
    batcher = Batcher(Limits(gather=0.0), Metrics())

    async def program():
        tasks = await waiting(batcher, slow, 1, 2)
        threading.Timer(0.1, slow.may.set).start()
        closing = asyncio.get_running_loop().run_in_executor(None, batcher.close)
        found = await asyncio.gather(*tasks)
        await closing
        with pytest.raises(Busy):
            await batcher.submit("k", slow, [3], 1)
        return found

    assert asyncio.run(program()) == [[0], [2], [4]]


def test_a_request_waits_a_moment_for_others():
    slow = Slow()
    slow.may.set()

    async def program(batcher):
        started = time.monotonic()
        tasks = [asyncio.create_task(batcher.submit("k", slow, [i], 1)) for i in range(3)]
        await asyncio.gather(*tasks)
        return time.monotonic() - started

    assert run(Limits(gather=0.3), program) >= 0.25
    assert slow.batches == [[0, 1, 2]]
