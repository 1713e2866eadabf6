"""The folder of a run: which config it belongs to, and on what it ran."""

import contextlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import ml_collections

from biobert_jax.errors import TrainingError

MAY_CHANGE = ("log_every", "checkpoint", "loader", "distributed", "mesh", "search_space")
"""Parts of a config that change nothing about the result: a run may go on with other values."""


def prepare(workdir: Path, config: ml_collections.ConfigDict) -> None:
    """Creates a run's folder, or checks that it is this config's.

    Process 0 creates it; the others wait for it for `distributed.connect_timeout` seconds.

    Raises:
      TrainingError: the folder belongs to another config (names what differs), or it cannot be
        written; it is an address; it is not one folder for all processes.
    """
    if re.match(r"[a-z][a-z0-9]+:/", str(workdir)):
        raise TrainingError(
            f"--workdir={workdir}: expected a folder, not an address. Mount the bucket and name "
            "the folder that it is mounted on"
        )
    path = workdir / "config.json"
    ours = json.loads(config.to_json_best_effort())
    if jax.process_index() != 0:
        _wait_for(path, config.get("distributed", {}).get("connect_timeout", 300))
    if path.is_file():
        try:
            theirs = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise TrainingError(
                f"{path}: not the config of a run ({error}). Choose another --workdir"
            ) from error
        # A setting that an older version did not know is the same run where it is off.
        differing = [
            f"{name} is {there!r} there and {here!r} here"
            for name, there, here in _differences(theirs, ours)
            if name.split(".")[0] not in MAY_CHANGE and not (there is None and not here)
        ]
        if differing:
            raise TrainingError(
                f"{path}: this workdir belongs to another config: {'; '.join(differing[:5])}"
                f"{f' and {len(differing) - 5} more' if len(differing) > 5 else ''}. "
                "Choose another --workdir, or repeat its config to resume it"
            )
        return
    with writing(workdir):
        workdir.mkdir(parents=True, exist_ok=True)
    write_json(path, ours)
    write_json(workdir / "environment.json", environment())


def _wait_for(path: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not path.is_file():
        if time.monotonic() > deadline:
            raise TrainingError(
                f"{path}: process {jax.process_index()} on {platform.node()} does not see this "
                f"file of process 0 after {seconds:g} s. All processes need one --workdir, on "
                "a file system that their hosts share"
            )
        time.sleep(0.2)


def _differences(there: Any, here: Any, name: str = "") -> list[tuple[str, Any, Any]]:
    if there is None and isinstance(here, dict):
        there = {}
    if isinstance(there, dict) and isinstance(here, dict):
        return [
            difference
            for key in sorted(there.keys() | here.keys())
            for difference in _differences(
                there.get(key), here.get(key), f"{name}.{key}" if name else key
            )
        ]
    return [] if there == here else [(name, there, here)]


def environment() -> dict[str, Any]:
    """Versions, devices and commit."""
    names = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy", "tokenizers")
    devices = jax.devices()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: importlib.metadata.version(name) for name in names},
        "devices": {"count": len(devices), "kind": devices[0].device_kind},
        "processes": jax.process_count(),
        "cpus": os.cpu_count(),
        "commit": commit(),
    }


def commit() -> str | None:
    """The commit of the source tree, with `-dirty` where it was changed; None outside git."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def write_json(path: Path, value: Any) -> None:
    """Writes a file that is either the old one or the whole new one.

    Raises:
      TrainingError: it could not be written.
    """
    temporary = path.with_name(path.name + ".tmp")
    with writing(path):
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
        temporary.replace(path)


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns a full disk, a quota or a missing permission within the block into a TrainingError."""
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"{path}: could not be written ({error.strerror or error}). Make room or choose "
            "another --workdir, then give the same command to go on"
        ) from error
