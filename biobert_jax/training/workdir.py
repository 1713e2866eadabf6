"""The folder of a run: which config it belongs to, and on what it ran."""

import functools
import importlib.metadata
import json
import logging
import os
import platform
import re
import reprlib
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import ml_collections

import biobert_jax
from biobert_jax.arguments import expand_home
from biobert_jax.errors import DataError, TrainingError
from biobert_jax.files import in_bucket, read_json, write_json, writing
from biobert_jax.training.lock import lock_workdir

logger = logging.getLogger(__name__)

MAY_CHANGE = (
    "log_every",
    "checkpoint",
    "loader",
    "profile",
    "upload_every",
    "distributed",
    "mesh",
    "search_space",
    "compute.dtype",
    "compute.attention",
    "compute.remat",
    "compute.unroll",
    "train.micro_batch",
    "batch.eval_rows",
    "trials.at_once",
)
"""Settings that a run may resume with other values of: they change nothing about the result but for
rounding. `compute.dropout` is none: other generators draw other masks."""

EXACT = ("log_every", "checkpoint", "loader", "profile", "upload_every", "distributed")
"""Those of MAY_CHANGE that do not even change rounding."""

_LOGS = (".log", ".out", ".err")


def prepare(workdir: Path, config: ml_collections.ConfigDict, finished: bool = False) -> None:
    """Creates a run's folder, or checks that it is this config's and notes that it is resumed.

    Process 0 creates it; the others wait for it for `distributed.connect_timeout` seconds. What the
    run resumes with, settings of `MAY_CHANGE` and versions, is logged and written to
    environment.json, which keeps earlier starts under `earlier`.

    Args:
      workdir: the run's folder.
      config: the run's config.
      finished: whether the run is only compared with its config; nothing is written.

    Raises:
      TrainingError: the folder belongs to another config (names what differs), to another process
        or to nobody known; it is in s3://; it is not one folder for all processes.
      WriteError: it cannot be written.
    """
    if os.fspath(workdir).startswith("s3://"):
        raise TrainingError(
            f"--workdir={workdir}: Orbax commits a checkpoint in s3:// by renaming, which can be "
            "interrupted. Name a local folder or gs://; data may be read from s3://"
        )
    if re.match(r"[a-z][a-z0-9]+:/(?!/)", os.fspath(workdir)):
        raise TrainingError(
            f"--workdir={workdir}: expected a folder, not an address that lost a slash; make a "
            "path of an address with biobert_jax.files.to_path"
        )
    path = workdir / "config.json"
    ours = json.loads(config.to_json_best_effort())
    if finished:
        _compare(path, ours)
        return
    if jax.process_index() != 0:
        _wait_for(path, config.get("distributed", {}).get("connect_timeout", 300))
        _compare(path, ours)
        return
    if not path.is_file():
        check_unused(workdir)
    with writing(workdir):
        workdir.mkdir(parents=True, exist_ok=True)
    lock = lock_workdir(workdir)
    try:
        if path.is_file():
            changed = _compare(path, ours)
            for name, (before, now) in changed.items():
                logger.info("%s: resumed with %s %r instead of %r", workdir, name, now, before)
            _add_environment(workdir / "environment.json", changed)
        else:
            _add_environment(workdir / "environment.json", {})
            write_json(path, ours)
    finally:
        lock.release()


def check_unused(workdir: Path) -> None:
    """Refuses a folder that no run made and that holds something."""
    with writing(workdir):
        found = sorted(one.name for one in workdir.iterdir()) if workdir.exists() else []
    # Hidden files are those of file systems and desktops, and our own unfinished ones. Output is
    # often redirected into the folder before the run creates anything.
    ours = ("environment.json", "lost+found")
    strange = [n for n in found if n[0] != "." and n not in ours and not n.endswith(_LOGS)]
    if strange:
        shown = ", ".join(strange[:5]) + (f" and {len(strange) - 5} more" * (len(strange) > 5))
        raise TrainingError(
            f"{workdir}: not the folder of a run: it has no config.json, but holds {shown}. A run "
            "could overwrite that; name a new or empty folder as --workdir"
        )


def _compare(path: Path, ours: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Checks a config.json; returns what differs and may, by name: the value there, and here."""
    try:
        theirs = read_json(path)
    except DataError as error:
        raise TrainingError(f"{error}. Or choose another --workdir") from error
    if not isinstance(theirs, dict):
        raise TrainingError(
            f"{path}: not the config of a run, but a {type(theirs).__name__}. Choose another "
            "--workdir"
        )
    differing, changed = [], {}
    version = ""  # where settings differ that only one version of this program has
    for name, there, here in _differences(theirs, ours):
        if any(f"{name}.".startswith(f"{one}.") for one in MAY_CHANGE):
            changed[name] = (there, here)
        elif there is not None or here:
            # A setting that an older version did not know is the same run where it is off.
            differing.append(f"{name} is {reprlib.repr(there)} there and {reprlib.repr(here)} here")
            if there is None or here is None:
                version = of_version(path.parent)
    if differing:
        raise TrainingError(
            f"{path}: this workdir belongs to another config: {'; '.join(differing[:5])}"
            f"{f' and {len(differing) - 5} more' if len(differing) > 5 else ''}. "
            f"Choose another --workdir, or repeat its config to resume it{version}"
        )
    return changed


def of_version(workdir: Path) -> str:
    """For messages: which version started a run, and what to do; "" where it is this one."""
    try:
        values = read_json(workdir / "environment.json")
        first = (values.get("earlier") or [values])[0]
        version, commit_there = first.get("biobert_jax", "before 0.2.0"), first.get("commit")
    except (DataError, AttributeError, LookupError):
        return ""
    if (version, commit_there) == (biobert_jax.__version__, commit()):
        return ""
    there, here = (
        f"biobert_jax {number}" + (f" (commit {of_it})" if of_it else "")
        for number, of_it in ((version, commit_there), (biobert_jax.__version__, commit()))
    )
    return (
        f". The run was started by {there}, and this is {here}: resume it with that version, or "
        f"begin another run from its weights with --config.init={workdir}"
    )


def _add_environment(path: Path, changed: dict[str, tuple[Any, Any]]) -> None:
    """Writes this start to environment.json; earlier ones are kept under `earlier`."""
    last: Any = {}
    if path.is_file():
        try:
            last = read_json(path)
        except DataError as error:
            raise TrainingError(
                f"{error}. Or remove it: it only records on what the run ran"
            ) from error
    last = last if isinstance(last, dict) else {"unreadable": last}
    earlier = [*last.pop("earlier", []), *([last] if last else [])]
    this = {"started": time.strftime("%Y-%m-%d %H:%M:%S%z"), **environment()}
    if changed:
        this["changed"] = {name: list(values) for name, values in changed.items()}
    write_json(path, this | ({"earlier": earlier} if earlier else {}))


def note(workdir: Path, facts: Mapping[str, Any]) -> None:
    """Adds what this start found out to environment.json; what differs from the last is logged.

    Args:
      workdir: of `prepare`, in the first process; others do nothing.
      facts: by name. A number or a word that changed since the start before goes to `changed`, as
        settings do.
    """
    if jax.process_index() != 0 or not facts:
        return
    path = workdir / "environment.json"
    this = read_json(path)
    before = (this.get("earlier") or [{}])[-1]
    for name, value in facts.items():
        this[name] = value
        if name in before and before[name] != value and not isinstance(value, dict):
            logger.info("%s: resumed with %s %r instead of %r", workdir, name, value, before[name])
            this.setdefault("changed", {})[name] = [before[name], value]
    write_json(path, this)


def resumed_with(workdir: Path) -> list[dict[str, Any]]:
    """What a run was resumed with that it was not started with, for results.json.

    Returns:
      For each start that changed something that may change rounding, when it `started`, and
      `changed`: by name, the value before and the one since.
    """
    try:
        values = read_json(workdir / "environment.json")
        starts = [*values.get("earlier", []), values]
        out = []
        for one in starts:
            changed = {n: v for n, v in one.get("changed", {}).items() if not _exact(n)}
            if changed:
                out.append({"started": one.get("started"), "changed": changed})
        return out
    except (DataError, AttributeError, TypeError):
        return []  # it is a record, and a run is finished without it


def _exact(name: str) -> bool:
    return any(f"{name}.".startswith(f"{one}.") for one in EXACT)


def _wait_for(path: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not path.is_file():
        if time.monotonic() > deadline:
            raise TrainingError(
                f"{path}: process {jax.process_index()} on {platform.node()} does not see this "
                f"file of process 0 after {seconds:g} s. All processes need one --workdir, on "
                "a file system that their hosts share"
            )
        time.sleep(2.0 if in_bucket(path) else 0.2)


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
    # A path that begins with ~ is the one that it stands for.
    return [] if expand_home(there) == here else [(name, there, here)]


@functools.cache
def environment() -> dict[str, Any]:
    """Versions, devices and commit."""
    names = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain", "numpy", "tokenizers")
    devices = jax.devices()
    return {
        "biobert_jax": biobert_jax.__version__,
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
