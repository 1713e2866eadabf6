"""Engines: every task's result comes, failures pass through, a dead worker costs nothing on Ray."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from biobert_jax.corpora.build.executors import run_local, run_ray
from biobert_jax.corpora.build.pipeline import BuildOptions, build_corpus
from biobert_jax.corpora.readers.inputs import ReaderOptions
from biobert_jax.errors import DataError
from biobert_jax.text.wordpiece_trainer import write_vocabulary

FILES = 60


def _kill_itself(task: int) -> None:
    os.kill(os.getpid(), 9)


def _fail(task: int) -> None:
    raise DataError(f"file{task}: found nothing")


def test_local_tells_of_a_killed_worker():
    with pytest.raises(DataError, match="killed"):
        list(run_local(_kill_itself, [1, 2, 3], workers=2))


def test_failures_pass_through():
    with pytest.raises(DataError, match="file1: found nothing"):
        list(run_local(_fail, [1], workers=1))
    assert list(run_local(abs, [-1, 2], workers=1)) == [1, 2]


def _contents(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def corpus(tmp_path):
    """(pattern, options) of a corpus of many small files, some of them duplicates."""
    words = [f"{a}{b}" for a in ("ka", "lo", "mi", "nu", "pe") for b in ("tas", "rin", "dol", "x")]
    write_vocabulary(
        tmp_path / "vocab.txt", ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words[:15]]
    )
    for number in range(FILES):
        rng = random.Random(number % (FILES - 5))
        lines = (" ".join(rng.choices(words, k=12)) + "." for _ in range(400))
        (tmp_path / f"{number:02d}.txt").write_text("\n\n".join(lines) + "\n")
    options = BuildOptions(
        ReaderOptions("text", "sentences"), os.fspath(tmp_path / "vocab.txt"), unit_bytes=1
    )
    return [f"{tmp_path}/[0-9]*.txt"], options


@pytest.fixture(scope="module")
def ray():
    """A head and two workers, each a process of this machine."""
    ray = pytest.importorskip("ray", reason="ray is an extra: pip install 'biobert_jax[ray]'")
    path = os.environ.get("PYTHONPATH", "")
    root = os.fspath(Path(__file__).resolve().parents[2])
    environment = {"env_vars": {"PYTHONPATH": f"{root}{os.pathsep}{path}"}}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    yield ray
    ray.shutdown()


@pytest.mark.slow
def test_ray_gives_the_same_bytes_when_a_worker_is_killed(tmp_path, corpus, ray):
    inputs, options = corpus
    build_corpus(inputs, tmp_path / "local", options)
    parts = tmp_path / "ray" / ".build"
    killed = []

    def kill_half_way() -> None:
        deadline = time.monotonic() + 300
        while not killed and time.monotonic() < deadline:
            done = len(list(parts.glob("[0-9a-f]*.json")))
            # The name of an unfinished shard has its writer's process id.
            writing = list(parts.glob(".*.array_record.*.tmp"))
            if done >= FILES // 3 and writing:
                worker = int(writing[0].name.split(".array_record.")[1].split(".")[0])
                os.kill(worker, signal.SIGKILL)
                killed.append((worker, done))
            time.sleep(0.002)

    killer = threading.Thread(target=kill_half_way)
    killer.start()
    build_corpus(inputs, tmp_path / "ray", options, workers=4, engine="ray")
    killer.join()
    ((worker, done),) = killed
    assert worker != os.getpid()
    assert FILES // 3 <= done < FILES
    assert _contents(tmp_path / "ray") == _contents(tmp_path / "local")


@pytest.mark.slow
def test_ray_passes_failures_through(tmp_path, corpus, ray):
    inputs, options = corpus
    (tmp_path / "00.txt").write_bytes(b"\xff\n")
    with pytest.raises(DataError, match=r"00\.txt: line 1: byte 1 of the line \(0xff\)"):
        build_corpus(inputs, tmp_path / "out", options, workers=2, engine="ray")


def test_ray_is_asked_for_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(DataError, match=r"biobert_jax\[ray\]"):
        list(run_ray(abs, [1], workers=1))


def test_an_interrupt_ends_the_workers_at_once():
    code = (
        "import time\n"
        "from biobert_jax.corpora.build.executors import run_local\n"
        "from biobert_jax.errors import report_errors\n"
        "if __name__ == '__main__':\n"
        "    with report_errors():\n"
        "        for done in run_local(time.sleep, [0, 300, 300], 2):\n"
        "            print('begun', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout.readline() == "begun\n"
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130
    assert len(said.splitlines()) == 1


def test_workers_end_with_the_process_that_is_killed():
    code = (
        "import os, time\n"
        "from biobert_jax.corpora.build.executors import run_local\n"
        "if __name__ == '__main__':\n"
        "    for done in run_local(time.sleep, [0, 0, 0, 300], 2):\n"
        "        print('begun', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "begun\n"
    process.kill()
    # The pipes are closed when the last worker has ended.
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
