"""Paths in buckets: what there is, whole writes, errors in one line, copies on this machine."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest

from biobert_jax import files
from biobert_jax.errors import DataError, UserError, WriteError
from biobert_jax.files import bucket, staging
from tests.support import processes
from tests.support.buckets import DENIED


@pytest.mark.parametrize("address", ["http://host/x", "hdfs://x/y", "gs:/bucket/x"])
def test_other_addresses_are_no_local_names(address):
    with pytest.raises(DataError, match="expected"):
        files.to_path(address)


def test_a_local_path_imports_nothing_of_buckets(tmp_path):
    program = (
        "import sys; from biobert_jax import files; "
        f"path = {str(tmp_path / 'a')!r}; files.write_text(path, 'b'); files.read_text(path); "
        "files.local('x'); print([m for m in ('fsspec', 'gcsfs', 'etils') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_tensorflows_reader_of_buckets_is_not_used(tmp_path):
    """Nor after a path on a disk, at which epath decides for all that follow."""
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").touch()
    program = (
        "from etils import epath; from etils.epath import backend; epath.Path('a').exists(); "
        "from biobert_jax import files; files.to_path('gs://bucket/x'); "
        "print(epath.Path('gs://bucket/x')._backend is backend.fsspec_backend)"
    )
    found = processes.environment()
    found["PYTHONPATH"] = f"{tmp_path}{os.pathsep}{found['PYTHONPATH']}"
    found.pop("EPATH_USE_TF", None)  # of this process, which may have used a bucket
    done = subprocess.run(
        [sys.executable, "-c", program], env=found, capture_output=True, text=True
    )
    assert done.stdout.strip() == "True", done.stderr


def test_without_the_library_the_extra_is_named(monkeypatch):
    bucket.file_system.cache_clear()
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(UserError, match=r"biobert_jax\[gcs\]"):
        files.to_path("gs://bucket/x").exists()
    bucket.file_system.cache_clear()


def test_written_listed_and_read(bucket_at, tmp_path):
    folder, _ = bucket_at
    top = files.to_path(folder)
    assert not top.exists()
    assert not list(top.glob("*"))
    files.write_text(f"{folder}/a/b.txt", "one\ntwo\n")
    files.write_json(top / "c.json", {"d": 1})
    assert top.is_dir()
    assert (top / "a" / "b.txt").is_file()
    assert [path.name for path in top.iterdir()] == ["a", "c.json"]
    assert [path.name for path in files.files_below(top)] == ["b.txt", "c.json"]
    assert [path.name for path in top.glob("**/*.txt")] == ["b.txt"]
    assert list(files.read_lines(f"{folder}/a/b.txt")) == [(1, "one"), (2, "two")]
    assert files.read_json(top / "c.json") == {"d": 1}
    assert [(path.name, names) for path, _, names in files.walk(top)] == [
        (top.name, ["c.json"]),
        ("a", ["b.txt"]),
    ]
    local = tmp_path / "same"
    local.write_text("one\ntwo\n")
    assert files.sha256_of(top / "a" / "b.txt") == files.sha256_of(local)
    files.remove_folder(top)
    assert not top.exists()


def test_a_file_appears_whole_or_not_at_all(bucket_at):
    folder, served = bucket_at
    files.write_text(f"{folder}/a", "old")
    with pytest.raises(ZeroDivisionError), files.atomic_writing(f"{folder}/a") as temporary:
        temporary.write_text(f"half {1 / 0}")
    assert files.read_text(f"{folder}/a") == "old"
    assert [method for method, _ in served.requests].count("POST") == 1
    with pytest.raises(OSError, match="renamed"):
        files.to_path(folder).rename("x")
    with pytest.raises(OSError, match="written whole"):
        (files.to_path(folder) / "a").open("w")


def test_what_is_wrong_is_one_line(bucket_at):
    folder, _ = bucket_at
    with pytest.raises(WriteError, match=r"gs://nobucket/x: .*no such bucket as gs://nobucket"):
        files.write_text("gs://nobucket/x", "a")
    with pytest.raises(DataError, match="no such bucket as gs://nobucket"):
        files.read_text("gs://nobucket/x")
    with pytest.raises(DataError, match="no such bucket as gs://nobucket"):
        files.local("gs://nobucket/x")
    with pytest.raises(DataError, match="nothing of this name"):
        files.read_text(f"{folder}/missing")
    for act in (
        lambda: files.write_text(f"gs://{DENIED}/x", "a"),
        lambda: files.read_text(f"gs://{DENIED}/x"),
        lambda: files.to_path(f"gs://{DENIED}/x").exists(),
    ):
        with pytest.raises((UserError, OSError), match="permission denied by gs://denied") as error:
            act()
        assert "GOOGLE_CLOUD_PROJECT" in str(error.value)
        assert "\n" not in str(error.value)


def test_requests_that_fail_are_repeated(bucket_at, monkeypatch):
    folder, served = bucket_at
    pauses = []
    import asyncio

    real = asyncio.sleep
    monkeypatch.setattr(
        "gcsfs.retry.asyncio.sleep", lambda seconds: (pauses.append(seconds), real(0))[1]
    )
    served.failing, before = 0.4, served.failed
    for number in range(8):
        files.write_text(f"{folder}/{number}", str(number))
        assert files.read_text(f"{folder}/{number}") == str(number)
    assert served.failed > before
    assert pauses


def test_copies_are_made_once_checked_and_removed(bucket_at, monkeypatch):
    folder, served = bucket_at
    files.write_text(f"{folder}/set/a.txt", "a")
    files.write_text(f"{folder}/set/b.txt", "b")
    copy = files.local(f"{folder}/set")
    assert sorted(path.name for path in copy.iterdir()) == ["a.txt", "b.txt"]
    assert files.shown(copy / "a.txt") == f"{folder}/set/a.txt"
    served.requests.clear()
    assert files.local(f"{folder}/set") == copy
    assert len(served.requests) == 1  # the listing
    files.write_text(f"{folder}/set/a.txt", "c")
    assert (files.local(f"{folder}/set") / "a.txt").read_text() == "c"
    wanted = staging.Wanted(files.to_path(f"{folder}/set/b.txt"), 1, "0" * 64)
    with pytest.raises(DataError, match="expected 1 with 000000000000"):
        staging.stage([wanted], "shards")
    assert len(staging.copies()) == 2
    assert staging.remove([f"{folder}/set/a.txt"]) == 1
    assert staging.remove() == 1
    assert not staging.copies()
    monkeypatch.setattr(staging, "_SPARE", 2**60)
    with pytest.raises(DataError, match="BIOBERT_STAGED"):
        files.local(f"{folder}/set")


def test_one_process_at_a_time_locks_a_workdir(bucket_at, monkeypatch):
    from biobert_jax.errors import TrainingError
    from biobert_jax.training import bucket_lock
    from biobert_jax.training.bucket_lock import BucketLock

    monkeypatch.setattr(bucket_lock, "RENEW", 0.05)
    monkeypatch.setattr(bucket_lock, "LEASE", 0.5)
    folder, _ = bucket_at
    workdir = files.to_path(folder)
    first, again = BucketLock(workdir), BucketLock(workdir)
    first.release()
    monkeypatch.setattr(BucketLock, "_held", {})  # as another process would see it
    with pytest.raises(TrainingError, match="in use by process"):
        BucketLock(workdir)
    again.check()
    again._held = {again._address: (again._lease, 1)}
    again.release()
    assert not (workdir / ".lock").exists()
    # Left behind by a process of another machine: unchanged for LEASE seconds.
    (workdir / ".lock").write_text(json.dumps({"pid": 1, "host": "x", "since": "y"}))
    began = time.monotonic()
    taken = BucketLock(workdir)
    assert time.monotonic() - began > 0.5
    # Somebody took it over while this process was suspended.
    (workdir / ".lock").write_text(json.dumps({"pid": 1, "host": "x", "since": "y"}))
    deadline = time.monotonic() + 20
    while not taken._lease.lost and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(TrainingError, match="took this workdir over"):
        taken.check()
    taken.release()
    assert (workdir / ".lock").exists()


def test_of_two_that_lock_at_once_one_wins(bucket_at):
    folder, _ = bucket_at
    path = files.to_path(f"{folder}/lock")
    won = []

    def take(name: str) -> None:
        try:
            path.create(name.encode())
            won.append(name)
        except FileExistsError:
            pass

    threads = [threading.Thread(target=take, args=(str(n),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [path.read_text()]


def test_metrics_reach_the_bucket_whole_and_resume(bucket_at):
    from biobert_jax.training.metrics import METRICS, Writers

    folder, served = bucket_at
    workdir = files.to_path(folder)
    writers = Writers(workdir, 0, True, upload_every=0.0)
    for step in range(1, 101):
        writers.write(METRICS, step, {"loss": 1.0 / step})
    assert not served.requests or {m for m, _ in served.requests} == {"GET"}
    writers.upload()
    assert len(files.read_text(workdir / METRICS).splitlines()) == 100
    uploads = served.counted()["POST"]
    writers.upload()
    assert served.counted()["POST"] == uploads  # nothing has changed
    expected = (workdir / METRICS).read_bytes()
    writers.write(METRICS, 101, {"loss": 0.5})
    writers.close()
    resumed = Writers(workdir, 60, True, upload_every=0.0)
    for step in range(61, 101):
        resumed.write(METRICS, step, {"loss": 1.0 / step})
    resumed.close()
    assert (workdir / METRICS).read_bytes() == expected
    assert (workdir / "tensorboard").is_dir()


def test_metrics_reach_the_bucket_while_the_run_goes_on(bucket_at):
    from biobert_jax.training.metrics import METRICS, Writers

    folder, _ = bucket_at
    workdir = files.to_path(folder)
    writers = Writers(workdir, 0, True, upload_every=0.2)
    writers.write(METRICS, 1, {"loss": 1.0})
    deadline = time.monotonic() + 20
    found = b""
    while not found and time.monotonic() < deadline:
        time.sleep(0.05)
        found = (workdir / METRICS).read_bytes() if (workdir / METRICS).is_file() else b""
    assert json.loads(found) == {"step": 1, "loss": 1.0}
    writers.close()
