"""Who is told to be lost or stuck, and who is not."""

import dataclasses
import subprocess
import sys
import time

import pytest

from biobert_jax.cluster.watchdog import LOST_STATUS, Report, Situation, Timeouts, verdict

LIMITS = Timeouts(lost_timeout=60, stall_timeout=900)
WELL = Situation(
    now=1000.0,
    process_id=1,
    reports={0: Report("a", 9, 41), 1: Report("b", 9, 42), 2: Report("c", 9, 42)},
    changed={0: 998.0, 1: 998.0, 2: 998.0},
    answered=999.0,
    progressed=900.0,
)


def at(**changes) -> tuple[str, int] | None:
    return verdict(dataclasses.replace(WELL, **changes), LIMITS)


def test_all_is_well():
    assert at() is None


def test_a_process_reports_no_more():
    message, status = at(changed=WELL.changed | {2: 930.0})
    assert status == LOST_STATUS
    assert message.startswith("process 2 on c has not reported for 69 s (it was at step 42, this")
    assert "the same command resumes" in message


def test_a_process_never_reported():
    message, _ = at(reports=WELL.reports | {0: Report("a")}, changed=WELL.changed | {0: 0.0})
    assert "process 0 on a has not reported for 999 s (it was before the first step" in message


def test_the_coordinator_answers_no_more():
    """Then nobody's reports are new, and nobody else is to blame."""
    message, status = at(answered=930.0, changed=dict.fromkeys(range(3), 929.0))
    assert (message[:38], status) == ("process 0 on a, the coordinator, has n", LOST_STATUS)


def test_no_step_ends():
    message, status = at(progressed=99.0)
    assert status == LOST_STATUS
    assert message.startswith(
        "process 1 on b has made no progress for 901 s at step 42. The furthe"
    )
    assert "behind is process 0 on a, at step 41" in message
    assert "config.distributed.stall_timeout" in message


def test_nobody_is_behind():
    message, _ = at(progressed=99.0, reports=WELL.reports | {0: Report("a", 9, 42)})
    assert "at step 42. All processes are running. This job ends" in message


def test_a_process_that_has_not_begun_is_the_furthest_behind():
    message, _ = at(progressed=99.0, reports=WELL.reports | {2: Report("c", 9)})
    assert "process 2 on c, before the first step" in message


def test_before_the_loop_nothing_is_expected():
    assert at(progressed=None, now=10_000.0, answered=9_999.0, changed={0: 9_998.0} | {
        1: 9_998.0, 2: 9_998.0}) is None  # fmt: skip


def test_stalls_need_not_be_watched():
    assert verdict(WELL, dataclasses.replace(LIMITS, stall_timeout=10)) is not None
    assert verdict(WELL, dataclasses.replace(LIMITS, stall_timeout=0)) is None


def test_one_that_is_done_is_not_missed():
    done = Report("c", 9, 50, done=True)
    assert at(reports=WELL.reports | {2: done}, changed=WELL.changed | {2: 0.0}) is None


def test_an_error_of_another_is_reported_and_no_reason_to_try_again():
    failed = Report("c", 9, 42, failed="DataError: no such file")
    message, status = at(reports=WELL.reports | {2: failed}, changed=WELL.changed | {2: 0.0})
    assert (message, status) == ("process 2 on c ended at step 42: DataError: no such file", 1)


PROGRAM = """
import os, signal, sys, threading, time
from biobert_jax.cluster.watchdog import Timeouts, Watch
class Store(dict):
    def key_value_set(self, key, value, allow_overwrite=False):
        self[key] = value
    def key_value_dir_get(self, key):
        return list(self.items())
watch = Watch(Store(), 0, ["a"], Timeouts(lost_timeout=2, stall_timeout={stall}))
watch.report_progress(7)
{body}
watch.finish()
print("finished")
"""


def run_program(stall: float, body: str) -> tuple[subprocess.CompletedProcess, float]:
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(stall=stall, body=body)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done, time.monotonic() - begun


def test_a_stuck_program_is_ended():
    done, seconds = run_program(1, "time.sleep(50)")
    assert done.returncode == LOST_STATUS
    assert done.stderr.startswith("error: process 0 on a has made no progress for 1 s at step 7.")
    assert seconds < 30


@pytest.mark.slow
def test_beats_keep_it_alive():
    report = "for _ in range(12):\n    time.sleep(0.3)\n    watch.report_progress()"
    done, _ = run_program(2, report)
    assert (done.returncode, done.stdout, done.stderr) == (0, "finished\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGSTOP")
@pytest.mark.slow
def test_time_in_which_the_program_itself_was_stopped_does_not_count():
    """As when a laptop sleeps, or Ctrl-Z is pressed."""
    body = (
        "import warnings\n"
        "warnings.simplefilter('ignore')\n"  # of fork with threads, from Python 3.12 on
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    os.kill(os.getppid(), signal.SIGSTOP)\n"
        "    time.sleep(7)\n"
        "    os.kill(os.getppid(), signal.SIGCONT)\n"
        "    os._exit(0)\n"
        "time.sleep(7.5)"
    )
    done, _ = run_program(6, body)  # seconds: a busy machine stops it late
    assert (done.returncode, done.stdout, done.stderr) == (0, "finished\n", "")
