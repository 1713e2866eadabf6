"""Which steps of a run are traced."""

import logging

import pytest

from biobert_jax.training.profiling import FOLDER, PROGRAM, StepTrace


@pytest.mark.parametrize(
    ("first_step", "traced", "said"),
    [
        (0, [4, 5], ""),
        (3, [4, 5], ""),
        (4, [6, 7], "resumes after step 4: traced from step 6"),
        (19, [], "step 21 is the first to trace, and 20 the last"),
    ],
)
def test_a_resumed_run_is_traced_too(tmp_path, monkeypatch, caplog, first_step, traced, said):
    import jax

    monkeypatch.setattr(jax.profiler, "start_trace", lambda folder: None)
    monkeypatch.setattr(jax.profiler, "stop_trace", lambda: None)
    trace = StepTrace.of_run(tmp_path, 4, 2, first_step, 20)
    found = []
    for step in range(first_step + 1, 21):
        trace.step(step)
        if trace._running:
            found.append(step)
        trace.after(step, (), None, ())
    assert found == traced
    assert said in caplog.text
    assert bool(said) == bool(caplog.records and caplog.records[0].levelno >= logging.WARNING)


def test_a_run_is_traced_once(tmp_path, caplog):
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / PROGRAM).touch()
    caplog.set_level(logging.INFO)
    StepTrace.of_run(tmp_path, 4, 2, 9, 20).step(11)
    assert "not traced again" in caplog.text
    assert not list((tmp_path / FOLDER).glob("plugins"))
