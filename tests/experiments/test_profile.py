"""A trace of some steps, and the table of where their time goes."""

import pytest

from biobert_jax import cli

pytestmark = pytest.mark.processes


def test_traced_steps_become_a_table(run, uninterrupted, tmp_path, capsys):
    folder = tmp_path / "run"
    run(folder, {"profile.start": 4, "profile.steps": 2})
    # Tracing changes nothing about the run.
    assert (folder / "metrics.jsonl").read_bytes() == (uninterrupted / "metrics.jsonl").read_bytes()
    assert list((folder / "profile").rglob("*.xplane.pb"))
    capsys.readouterr()
    cli.main(["profile", str(folder)])
    printed = capsys.readouterr().out
    assert "forward" in printed
    assert "product" in printed
    with pytest.raises(SystemExit) as raised:
        cli.main(["profile", str(uninterrupted)])
    assert raised.value.code == 1
    assert "--config.profile.steps" in capsys.readouterr().err
