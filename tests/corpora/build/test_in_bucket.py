"""A corpus that is built from and into a bucket is the one on a disk."""

import os
import random
import signal
import subprocess
import sys

import pytest

from biobert_jax import cli, files
from biobert_jax.corpora.build import pipeline
from biobert_jax.corpora.build.pipeline import BuildOptions, build_corpus
from biobert_jax.corpora.readers.inputs import ReaderOptions
from biobert_jax.corpora.store import ShardedCorpus
from biobert_jax.text.wordpiece_trainer import train_vocabulary, write_vocabulary
from tests.support import processes
from tests.support.buckets import kill_at_upload

WORDS = "receptor kinase tumour growth measured in forty patients whose plasma levels fell".split()  # noqa: SIM905


def write_inputs(root: str) -> BuildOptions:
    rng = random.Random(0)
    texts = []
    for _ in range(40):
        sentences = (" ".join(rng.choices(WORDS, k=9)) + "." for _ in range(3))
        texts.append("\n".join(sentences))
    texts[7] = texts[31]  # a duplicate in another file: one shard is copied, the others are not
    for number in range(4):
        files.write_text(f"{root}/texts/{number}.txt", "\n\n".join(texts[number::4]) + "\n")
    vocabulary = train_vocabulary((line for text in texts for line in text.splitlines()), 80, False)
    write_vocabulary(f"{root}/vocab.txt", vocabulary)
    return BuildOptions(ReaderOptions("text"), f"{root}/vocab.txt", unit_bytes=1)


def content(folder: str) -> dict[str, bytes]:
    top = files.to_path(folder)
    names = (path.name for path in top.iterdir())
    return {name: (top / name).read_bytes() for name in names if name.endswith(("record", ".npy"))}


def test_killed_and_resumed_it_has_the_same_shards(bucket_at, tmp_path, monkeypatch):
    address, served = bucket_at
    local, there = os.fspath(tmp_path), address
    build_corpus([f"{local}/texts/*.txt"], f"{local}/out", write_inputs(local))
    options = write_inputs(there)
    made, make = [], pipeline.make_part

    def dies(task):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(task.name)
        return make(task)

    monkeypatch.setattr(pipeline, "make_part", dies)
    with pytest.raises(KeyboardInterrupt):
        build_corpus([f"{there}/texts/*.txt"], f"{there}/out", options)
    assert not (files.to_path(there) / "out" / "manifest.json").exists()
    made.clear()
    monkeypatch.setattr(pipeline, "make_part", lambda task: (made.append(task.name), make(task))[1])
    served.failing = 0.02
    corpus = build_corpus([f"{there}/texts/*.txt"], f"{there}/out", options)
    served.failing = 0.0
    assert len(made) == 2  # of four; the others were there
    assert content(f"{there}/out") == content(f"{local}/out")
    assert not (files.to_path(there) / "out" / ".build").exists()

    reference = ShardedCorpus(f"{local}/out")
    assert corpus.vocabulary == reference.vocabulary
    staged = tmp_path / "staged" / "gs"
    assert not [*staged.rglob("shard-*")]
    assert corpus[0].ids.tolist() == reference[0].ids.tolist()
    assert len([*staged.rglob("shard-*")]) == 1  # that of the document
    assert [d.id.rsplit("/")[-1] for d in corpus] == [d.id.rsplit("/")[-1] for d in reference]
    assert corpus.words.tolist() == reference.words.tolist()


@pytest.mark.processes
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_process_is_resumed(bucket_at, tmp_path, workers):
    """SIGKILL while the third of four parts is uploaded, then the same command."""
    address, served = bucket_at
    local, there = os.fspath(tmp_path), address
    for root in (local, there):
        write_inputs(root)
    build_corpus([f"{local}/texts/*.txt"], f"{local}/out", write_inputs(local))
    command = ["corpus", "build", "--source", "text", "--input", f"{there}/texts/*.txt"]
    command += ["--vocab", f"{there}/vocab.txt", "--unit-megabytes", "0.000001"]
    command += ["--output", f"{there}/out", f"--workers={workers}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "biobert_jax.cli", *command],
        env=processes.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    seen = kill_at_upload(served, process, r"/\.build/\w+\.array_record$", number=3)
    _, log = process.communicate()
    assert process.returncode == -signal.SIGKILL, log
    out = files.to_path(there) / "out"
    assert not (out / "manifest.json").exists()
    finished = {*seen[:2]}
    seen.clear()
    cli.main(command)
    if workers == 1:
        assert len(finished) == len(seen) == 2
        assert not finished & {*seen}
    else:  # one of the two may have ended between a shard and its mark
        assert len(seen) <= 3
    assert content(os.fspath(out)) == content(f"{local}/out")
    assert not (out / ".build").exists()
