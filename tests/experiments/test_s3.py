"""Data in s3:// is data on a disk; a workdir there is refused. Needs s3fs, and moto's server."""

import os

import pytest

from biobert_jax import cli, files
from biobert_jax.corpora.build.pipeline import build_corpus
from biobert_jax.errors import TrainingError
from tests.corpora.build.test_in_bucket import content, write_inputs
from tests.experiments.test_buckets import copy

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module")
def served():
    """An emulated bucket, one for all tests: s3fs keeps the first address that it is given."""
    pytest.importorskip("s3fs", reason="needs the extra s3: pip install 'biobert_jax[s3]'")
    server = pytest.importorskip("moto.server", reason="needs pip install 'moto[server]'")
    import boto3

    started = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    started.start()
    host, port = started.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="bucket1")
        yield "s3://bucket1"
    started.stop()


@pytest.fixture
def address(served, tmp_path, monkeypatch, request):
    """A folder of its own in the bucket."""
    monkeypatch.setenv("BIOBERT_STAGED", os.fspath(tmp_path / "staged"))
    return f"{served}/{request.node.name}"


def test_what_is_written_is_read_and_made_once(address):
    path = files.to_path(f"{address}/a.txt")
    files.write_text(path, "one\n")
    assert files.read_text(path) == "one\n"
    assert [one.name for one in path.parent.iterdir()] == ["a.txt"]
    with pytest.raises(FileExistsError):
        path.create(b"two")
    path.unlink()
    assert not path.exists()


def test_a_corpus_that_is_built_there(address, tmp_path):
    for root in (os.fspath(tmp_path), address):
        build_corpus([f"{root}/texts/*.txt"], f"{root}/out", write_inputs(root))
    assert len(content(f"{address}/out")) == 5
    assert content(f"{address}/out") == content(os.fspath(tmp_path / "out"))


def test_training_and_commands_with_data_there(address, run, ner_folder, tmp_path):
    copy(ner_folder, f"{address}/ner")
    short = {"train.epochs": 1}
    run(tmp_path / "here", short)
    run(tmp_path / "there", short | {"dataset.path": f"{address}/ner"})
    for name in ("metrics.jsonl", "predictions/test.conll"):
        found = (tmp_path / "there" / name).read_bytes()
        assert found == (tmp_path / "here" / name).read_bytes(), name
    with pytest.raises(TrainingError, match="by renaming"):
        run(files.to_path(f"{address}/run"), short)

    model = f"{tmp_path}/here"
    cli.main(["convert", "--from", model, "--to", f"{address}/converted"])
    test = ("--data", f"{address}/ner/test.tsv", "--output", f"{address}/scores")
    cli.main(["evaluate", "--model", f"{address}/converted", *test])
    scores = files.read_json(files.to_path(f"{address}/scores/results.json"))["test"]
    assert scores == files.read_json(tmp_path / "here" / "results.json")["test"]
