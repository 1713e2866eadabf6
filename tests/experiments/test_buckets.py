"""A run whose workdir and data are in a bucket is the run on a disk, byte for byte."""

import os
import re
import signal
from pathlib import Path

import pytest

from biobert_jax import files
from biobert_jax.training import bucket_lock
from biobert_jax.training.saved import finished_steps
from tests.experiments.conftest import write_folder
from tests.support.buckets import kill_at_upload
from tests.support.models import tiny_settings
from tests.support.processes import finish, free_port

pytestmark = pytest.mark.processes

SAME = ("metrics.jsonl", "predictions/test.conll")


@pytest.fixture
def data_there(bucket_at, ner_folder) -> str:
    address, _ = bucket_at
    copy(ner_folder, f"{address}/ner")
    return f"{address}/ner"


def copy(folder: Path, to: str) -> None:
    for path in folder.iterdir():
        files.write_text(f"{to}/{path.name}", path.read_text(encoding="utf-8"))


def assert_same(workdir: str, expected: Path, names=SAME) -> None:
    for name in names:
        found = (files.to_path(workdir) / name).read_bytes()
        assert found == (expected / name).read_bytes(), name


def report(capsys, what: str, served) -> None:
    """Prints the number of requests, for docs/results/buckets.md."""
    counted = ", ".join(f"{number} {method}" for method, number in served.counted().items())
    with capsys.disabled():
        print(f"\n{what}: {len(served.requests)} requests ({counted}), {served.failed} refused")


def test_requests_that_are_refused_change_nothing(
    run, uninterrupted, bucket_at, data_there, capsys
):
    address, served = bucket_at
    # Few checkpoints, since the pauses after a refusal make most of the time.
    changes = {"dataset.path": data_there, "checkpoint.every": 0}
    served.requests.clear()
    before, served.failing = served.failed, 0.05
    run(files.to_path(f"{address}/run"), changes)
    served.failing = 0.0
    report(capsys, "NER, 5% refused", served)
    assert served.failed > before
    assert_same(f"{address}/run", uninterrupted)
    assert not (files.to_path(address) / "run" / ".lock").exists()


def test_a_step_costs_no_request(run, bucket_at, data_there, capsys, monkeypatch):
    """But for those at stated intervals, which are switched off here."""
    address, served = bucket_at
    monkeypatch.setattr(bucket_lock, "RENEW", 3600.0)
    given = {"dataset.path": data_there, "upload_every": 3600.0}
    given |= {"train.evaluate_every": 0, "train.select": "last"}
    counts = []
    for number, (epochs, every) in enumerate(((1, 0), (3, 0), (3, 3))):
        served.requests.clear()
        changes = {"train.epochs": epochs, "checkpoint.every": every}
        run(files.to_path(f"{address}/run-{number}"), given | changes)
        report(capsys, f"NER, {epochs} epochs, a checkpoint every {every} steps", served)
        counts.append(len(served.requests))
    seven_steps, nineteen, with_seven_checkpoints = counts
    assert nineteen - seven_steps < 6  # half a request per step; Orbax may look once more
    assert with_seven_checkpoints > nineteen + 6 * 20


def test_killed_during_a_save_nothing_is_lost(
    start, run, uninterrupted, bucket_at, data_there, capsys
):
    """The arrays of step 8 are in the bucket, Orbax's mark is not."""
    address, served = bucket_at
    workdir, changes = f"{address}/run", {"dataset.path": data_there}
    process = start(workdir, changes)
    kill_at_upload(served, process, r"/checkpoints/8/state/_METADATA")
    _, log = process.communicate()
    assert process.returncode == -signal.SIGKILL, log
    report(capsys, "NER until it was killed", served)
    served.watch = lambda method, name: None
    left = [os.fspath(path) for path in files.files_below(files.to_path(workdir) / "checkpoints")]
    half = [name for name in left if "/checkpoints/8/" in name]
    assert any(re.search(r"/state/ocdbt\.process_0/d/\w+", name) for name in half), half
    assert not any(name.endswith("/8/commit_success.txt") for name in half), half
    whole = finished_steps(files.to_path(workdir) / "checkpoints")
    assert whole
    assert max(whole) < 8
    served.requests.clear()
    run(files.to_path(workdir), changes)
    report(capsys, "NER resumed", served)
    assert_same(workdir, uninterrupted)


def test_two_processes(start, tmp_path, bucket_at, data_there, capsys):
    address, served = bucket_at
    short = {"train.epochs": 1, "checkpoint.every": 3}
    there = short | {"dataset.path": data_there}
    for workdir, changes in ((tmp_path / "run", short), (f"{address}/run", there)):
        served.requests.clear()
        together = (f"--coordinator=localhost:{free_port()}", "--num_processes=2")
        both = [start(workdir, changes, *together, f"--process_id={i}") for i in range(2)]
        finish(*both)
    report(capsys, "NER on two processes", served)
    assert_same(f"{address}/run", tmp_path / "run")
    assert not (files.to_path(address) / "run" / ".lock").exists()


def commands(root: str) -> dict[str, str]:
    """What the commands write below a folder that has a run and data, by name.

    Without what says where that folder is: its name, and the fingerprint of the input's place.
    """
    from biobert_jax import cli

    run, test = ("--model", f"{root}/run"), f"{root}/ner/test.tsv"
    cli.main(["annotate", *run, "--input", f"{root}/notes.txt", "--output", f"{root}/notes.jsonl"])
    shards = ("--shards", "2", "--output", f"{root}/shards", "--format", "bioc")
    cli.main(["annotate", *run, "--input", f"{root}/notes.txt", *shards])
    cli.main(["convert", "--from", f"{root}/run", "--to", f"{root}/converted"])
    cli.main(["evaluate", *run, "--data", test, "--output", f"{root}/scores"])
    again = ("--model", f"{root}/converted", "--data", test)
    cli.main(["evaluate", *again, "--output", f"{root}/scores-of-converted"])
    runs = ("--runs", f"{root}/run")
    cli.main(["report", *runs, "--no-figures", "--output", f"{root}/report"])
    cli.main(["results", f"{root}/run", "--format", "csv", "--output", f"{root}/results.csv"])
    made = ("notes.jsonl", "results.csv", "shards/", "converted/", "scores", "report/")
    top = files.to_path(root)
    found = {path.relative_to(top).as_posix(): path for path in files.files_below(top)}
    in_markdown = root.replace("_", r"\_")
    where = rf'{re.escape(root)}|{re.escape(in_markdown)}|(?<="files": ")\w+'
    return {
        name: re.sub(where, "ROOT", path.read_bytes().decode("latin-1"))
        for name, path in found.items()
        if name.startswith(made)
    }


def test_commands_read_and_write_there(run, ner_folder, tmp_path, bucket_at, data_there, capsys):
    address, served = bucket_at
    copy(ner_folder, os.fspath(tmp_path / "ner"))
    notes = "\n".join(f"Patient {n} had brittle wing fever and glassitis ." for n in range(9))
    written = []
    for root in (os.fspath(tmp_path), address):
        files.write_text(f"{root}/notes.txt", notes)
        run(files.to_path(f"{root}/run"), {"dataset.path": f"{root}/ner", "train.epochs": 1})
        served.requests.clear()
        written.append(commands(root))
    report(capsys, "commands", served)
    here, there = written
    assert len(here) > 15
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []


WORDS = "receptor kinase tumour growth measured in forty patients whose plasma levels fell".split()  # noqa: SIM905


@pytest.fixture
def texts(tmp_path) -> Path:
    """Four files of documents of three sentences."""
    import random

    random_words = random.Random(0)
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(4):
        sentences = (" ".join(random_words.choices(WORDS, k=9)) + "." for _ in range(120))
        grouped = ("\n".join(three) for three in zip(*[sentences] * 3, strict=True))
        (folder / f"{number}.txt").write_text("\n\n".join(grouped) + "\n")
    return folder


def from_texts_to_scores(root: str) -> None:
    """Builds a corpus, pre-trains on it, and trains NER from that; all below one folder."""
    from biobert_jax import cli
    from biobert_jax.configuration.ner import ner
    from biobert_jax.configuration.pretraining import pretraining
    from biobert_jax.launcher import train
    from tests.experiments.conftest import SETTINGS

    text = ("--input", f"{root}/texts/*.txt", "--source", "text")
    cli.main(["vocab", "train", *text, "--size", "100", "--output", f"{root}/vocab.txt"])
    vocabulary = ("--vocab", f"{root}/vocab.txt", "--unit-megabytes", "0.000001")
    cli.main(["corpus", "build", *text, *vocabulary, "--output", f"{root}/shards"])
    config = pretraining("debug", 8)
    config.update_from_flattened_dict(
        tiny_settings(num_hidden_layers=1, max_position_embeddings=64)
        | {
            "dataset.corpora": ((f"{root}/shards", 1.0),),
            "dataset.held_out": 12,
            "instances.max_predictions": 6,
            "batch.row_length": 32,
            "batch.rows": 4,
            "batch.eval_rows": 4,
            "train.steps": 11,
            "train.evaluate_every": 5,
            "checkpoint.every": 4,
            "log_every": 3,
        }
    )
    train.run(config, files.to_path(f"{root}/pretraining"))
    config = ner("ncbi_disease", "")
    config.update_from_flattened_dict(
        {name: value for name, value in SETTINGS.items() if not name.startswith("model.")}
        | {
            "dataset.path": f"{root}/ner",
            "init": f"{root}/pretraining",
            "vocab": f"{root}/vocab.txt",
            "train.epochs": 1,
        }
    )
    train.run(config, files.to_path(f"{root}/run"))


def test_from_texts_to_scores(tmp_path, texts, bucket_at, capsys):
    """Corpus, shards, vocabulary, checkpoint to start from, data and workdirs in the bucket."""
    address, served = bucket_at
    write_folder(tmp_path / "ner")
    for name in ("texts", "ner"):
        copy(tmp_path / name, f"{address}/{name}")
    from_texts_to_scores(os.fspath(tmp_path))
    served.requests.clear()
    from_texts_to_scores(address)
    report(capsys, "from texts to scores", served)
    assert_same(address, tmp_path, ["vocab.txt", "pretraining/metrics.jsonl"])
    assert_same(f"{address}/run", tmp_path / "run")
    shards = sorted(path.name for path in (tmp_path / "shards").glob("shard-*"))
    assert len(shards) == 4
    assert_same(f"{address}/shards", tmp_path / "shards", shards)
