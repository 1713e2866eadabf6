"""What training reports: averages that survive a restart, and files that can be cut back."""

import json
import time

import numpy as np
import pytest

from biobert_jax.errors import WriteError
from biobert_jax.training.metrics import (
    METRICS,
    THROUGHPUT,
    Interval,
    Writers,
    keep_until,
    write_scores,
)
from biobert_jax.training.progress import Progress


def step_metrics(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    return {
        "sums": {"tags": np.float32(rng.uniform(1, 9)), "spans": np.float32(rng.uniform(1, 9))},
        "weights": {"tags": np.float32(rng.integers(1, 99)), "spans": np.float32(3)},
        "grad_norm": np.float32(rng.uniform()),
        "tokens": np.int32(rng.integers(1, 999)),
    }


def test_interval_divides_sums_by_weights():
    interval = Interval()
    interval.add({"sums": {"tags": 6.0}, "weights": {"tags": 2.0}, "grad_norm": 1.0, "tokens": 10})
    interval.add({"sums": {"tags": 1.0}, "weights": {"tags": 8.0}, "grad_norm": 3.0, "tokens": 20})
    assert interval.compute() == {"loss": 0.7, "grad_norm": 2.0, "tokens": 15.0}


def test_interval_reports_the_parts_of_a_loss_and_their_sum():
    interval = Interval()
    interval.add(step_metrics(0))
    values = interval.compute()
    assert values["loss"] == values["loss_tags"] + values["loss_spans"]


@pytest.mark.parametrize("saved_after", [0, 1, 4])
def test_a_saved_interval_continues_exactly(saved_after):
    whole, part = Interval(), Interval()
    for seed in range(5):
        if seed == saved_after:
            part = Interval(json.loads(json.dumps(part.save())))
        whole.add(step_metrics(seed))
        part.add(step_metrics(seed))
    assert part.compute() == whole.compute()
    assert part.save() == whole.save()


def test_keep_until_drops_later_and_half_written_lines(tmp_path):
    path = tmp_path / METRICS
    lines = [json.dumps({"step": step, "loss": 1 / step}) + "\n" for step in (2, 4, 4, 6, 8)]
    path.write_text("".join(lines) + '{"step": 10, "lo')
    keep_until(path, 6)
    assert path.read_text() == "".join(lines[:4])
    path.write_text("".join(lines) + '{"step": 10, "lo')
    keep_until(path, 99)
    assert path.read_text() == "".join(lines)
    keep_until(tmp_path / "absent.jsonl", 6)
    assert sorted(file.name for file in tmp_path.iterdir()) == [METRICS]


def test_writers_continue_after_the_step_they_resume_at(tmp_path):
    for resumed_at, steps in ((0, (1, 2, 3)), (2, (3, 4))):
        writers = Writers(tmp_path, resumed_at, active=True)
        for step in steps:
            writers.write(METRICS, step, {"loss": step + resumed_at / 10})
            writers.write(THROUGHPUT, step, {"seconds_per_step": 0.5})
        writers.close()
    written = [json.loads(line) for line in (tmp_path / METRICS).read_text().splitlines()]
    assert written == [
        {"step": 1, "loss": 1.0},
        {"step": 2, "loss": 2.0},
        {"step": 3, "loss": 3.2},
        {"step": 4, "loss": 4.2},
    ]


def events_of(file):
    """By the record format itself: length, its checksum, an Event, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    data, events = file.read_bytes(), []
    while data:
        length = int.from_bytes(data[:8], "little")
        events.append(Event.FromString(data[12 : 12 + length]))
        data = data[16 + length :]
    return events


def test_tensorboard_events_can_be_read_back(tmp_path):
    from tensorboardX.proto.event_pb2 import SessionLog

    writers = Writers(tmp_path, 5, active=True)
    writers.write(METRICS, 7, {"loss": 0.25})
    writers.close()
    [file] = (tmp_path / "tensorboard").iterdir()
    events = events_of(file)
    assert events[1].session_log.status == SessionLog.START
    assert events[1].step == 6
    assert (events[2].step, events[2].summary.value[0].tag) == (7, "loss")
    assert events[2].summary.value[0].simple_value == 0.25


def test_final_scores_stand_beside_the_run_in_tensorboard(tmp_path):
    writers = Writers(tmp_path, 0, active=True)
    writers.write(METRICS, 7, {"loss": 0.25})
    test = {"f1": 50.0, "per_type": {"Disease": {"f1": 40.0}}, "worst": ["a"]}
    write_scores(tmp_path, {"step": 9, "validation": {"f1": 60.0}, "test": test})
    writers.close()
    files = {file.name.split(".")[0]: file for file in (tmp_path / "tensorboard").iterdir()}
    assert set(files) == {"events", "scores"}
    values = {}
    for event in events_of(files["scores"])[1:]:
        assert event.step == 9
        values |= {value.tag: value.simple_value for value in event.summary.value}
    assert values == {"validation/f1": 60, "test/f1": 50, "test/per_type/Disease/f1": 40}


def test_other_processes_write_nothing(tmp_path):
    writers = Writers(tmp_path, 0, active=False)
    writers.write(METRICS, 1, {"loss": 1.0})
    writers.close()
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_reported_with_the_path(tmp_path):
    writers = Writers(tmp_path, 0, active=True)
    writers._files[METRICS].close()
    writers._files[METRICS] = open("/dev/full", "w")  # noqa: SIM115
    with pytest.raises(WriteError, match=r"metrics\.jsonl: could not be written \(No space"):
        writers.write(METRICS, 1, {"loss": 1.0})
    writers.close()


def test_progress_measures_training_alone(capsys):
    progress = Progress(total_steps=10, first_step=0, positions=100, active=True)
    progress.step(999)
    progress.waited(5)
    progress.pause()
    started = time.perf_counter()
    progress.step(60)
    progress.step(80)
    progress.waited(0.01)
    time.sleep(0.02)
    speeds = progress.interval(2, {"loss": 0.5})
    elapsed = time.perf_counter() - started
    progress.close()
    assert speeds["padding_share"] == pytest.approx(0.3)
    assert 0.01 <= speeds["seconds_per_step"] <= elapsed
    assert speeds["real_tokens_per_second"] == pytest.approx(70 / speeds["seconds_per_step"])
    line = capsys.readouterr().err
    assert "step 2/10" in line
    assert "padding 30.0%" in line
    assert 0 < speeds["input_wait_share"] == pytest.approx(0.005 / speeds["seconds_per_step"])
    assert "waiting for data" in line
