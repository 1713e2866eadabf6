"""A run's checkpoints by name: `runs/p@500`, `@best`, `@last`."""

import json

import pytest

from biobert_jax import cli
from biobert_jax.errors import CheckpointError
from biobert_jax.interop.load import load_checkpoint
from biobert_jax.interop.workdir import read_workdir
from biobert_jax.training.checkpoint_index import list_checkpoints, split_name

pytestmark = pytest.mark.processes


def test_each_checkpoint_has_a_name(uninterrupted, capsys):
    saved = list_checkpoints(uninterrupted)
    last = saved[-1].step
    lines = (uninterrupted / "metrics.jsonl").read_text().splitlines()
    assert last == json.loads(lines[-1])["step"]
    scored = [one for one in saved if one.score is not None]
    best = max(scored, key=lambda one: one.score).step
    tested = json.loads((uninterrupted / "results.json").read_text())["step"]
    for which, step in (("last", last), ("best", tested), (str(best), best), ("", tested)):
        name = f"{uninterrupted}@{which}" if which else str(uninterrupted)
        checkpoint = load_checkpoint(name, read_workdir)
        assert checkpoint.source == f"{uninterrupted} (step {step})"
    cli.main(["checkpoints", str(uninterrupted)])
    assert f"{max(one.score for one in scored):.2f} best" in capsys.readouterr().out


@pytest.mark.parametrize("which", ["7777", "first", "-1", "1e3"])
def test_a_checkpoint_that_does_not_exist_is_named_with_those_that_do(uninterrupted, which):
    last = list_checkpoints(uninterrupted)[-1].step
    with pytest.raises(CheckpointError) as raised:
        load_checkpoint(f"{uninterrupted}@{which}", read_workdir)
    assert f"@{which}" in str(raised.value)
    assert str(last) in str(raised.value)


def test_a_folder_with_an_at_sign_is_a_folder(tmp_path):
    (tmp_path / "a@b").mkdir()
    assert split_name(str(tmp_path / "a@b")) == (str(tmp_path / "a@b"), "")
    assert split_name("runs/p@500") == ("runs/p", "500")
    assert split_name("user@host/p") == ("user@host/p", "")
