"""The harness of the side-by-side measurements, on contenders that take a known time."""

import itertools
import time

import pytest

from benchmarks.contenders import complete, measure, ratios


def sleeper(scale, options):
    """Steps that are started at once and take a while: 10 units each."""
    for number in itertools.count():
        if number == options.get("fails_at"):
            raise ValueError("out of luck\nand more")
        yield 10, lambda: time.sleep(scale * options["seconds"])


CONTENDERS = {
    "slow": (sleeper, {"seconds": 2}),
    "quick": (sleeper, {"seconds": 1}),
    "never starts": (sleeper, {"seconds": 1, "fails_at": 0}),
    "gives up": (sleeper, {"seconds": 1, "fails_at": 5}),
}


@pytest.mark.slow
@pytest.mark.parametrize("in_turns", [True, False])
def test_the_last_of_a_rounds_steps_is_waited_for_and_failures_leave_the_others(in_turns, capfd):
    *_, found = measure(
        CONTENDERS, (0.1,), rounds=2, steps=3, warmup=1, in_turns=in_turns
    )  # fmt: skip
    assert list(found) == list(CONTENDERS)
    assert list(complete(found)) == ["slow", "quick"]
    # Three steps that run side by side, as a device's queue may: the wait is that for the last.
    for name, wait in (("slow", 0.2), ("quick", 0.1)):
        measured = found[name]
        assert len(measured.speeds) == len(measured.seconds) == 2
        assert measured.seconds[0] == pytest.approx(wait / 3, rel=0.5)
        assert measured.speeds[0] == pytest.approx(30 / (3 * measured.seconds[0]))
        assert measured.first_step >= wait
        assert measured.peak_bytes > 2**20
    assert ratios(found, "quick", "slow").startswith(("2.", "1."))
    assert found["never starts"].failure == "ValueError: out of luck"
    assert found["gives up"].failure == "ValueError: out of luck"
    assert len(found["gives up"].speeds) == 1  # a first step, a warm-up, a round of three
    assert "Traceback" in capfd.readouterr().err


def test_restarted_contenders_add_to_their_rounds(capfd):
    chosen = {"quick": CONTENDERS["quick"]}
    *_, found = measure(chosen, (0.01,), rounds=2, steps=1, warmup=0, restarts=1)
    assert len(found["quick"].speeds) == 4
    assert capfd.readouterr().out.count("round 1") == 2


def test_a_process_that_dies_is_noticed(capfd):
    *_, found = measure({"dies": (dies, {})}, (), rounds=1, steps=1, warmup=0)
    assert found["dies"].failure == "its process died"


def dies(options):
    import os

    os._exit(1)
    yield
