"""The command `biobert doctor`: what is installed here, what is missing, and what mends it."""

import argparse
import json
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

FINE, NOTE, WRONG = "ok", "note", "wrong"
_EXTRAS = {  # what each is for; the order in which they are shown
    "serve": "the HTTP service",
    "export": "models as StableHLO",
    "tensorflow": "reading TensorFlow checkpoints",
    "torch": "reading pytorch_model.bin",
    "ray": "several machines",
    "report": "figures of biobert report",
}
_GIB = 2**30


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
      state: `ok`; `note`, something is not there that not everybody needs; `wrong`.
      what: was looked at.
      found: for people.
      mend: the command that helps; empty where nothing is to be done.
    """

    state: str
    what: str
    found: str
    mend: str = ""


def declare_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    parser.add_argument("--no-test", action="store_true", help="leave out the self-test")


def doctor(args: argparse.Namespace) -> None:
    """Prints findings as they come; ends with exit code 1 where something is wrong."""
    looks: list[Callable[[], Iterator[Finding]]] = [versions, extras, devices, resources]
    looks += [] if args.no_test else [self_test]
    wrong = 0
    for look in looks:
        try:
            for finding in look():
                wrong += finding.state == WRONG
                _show(finding, args.json)
        except Exception as error:  # the doctor is called where things are broken
            wrong += 1
            said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            _show(Finding(WRONG, look.__name__.replace("_", " "), said), args.json)
    if not args.json:
        print("all is well" if not wrong else f"{wrong} wrong")
    if wrong:
        sys.exit(1)


def _show(finding: Finding, as_json: bool) -> None:
    if as_json:
        print(json.dumps(finding._asdict(), ensure_ascii=False), flush=True)
        return
    print(f"{finding.state:<6}{finding.what:<34}{finding.found}", flush=True)
    if finding.mend:
        print(f"{'':40}-> {finding.mend}", flush=True)


def versions() -> Iterator[Finding]:
    """Python, the package, and what it cannot do without."""
    name = platform.python_implementation()
    supported = sys.version_info >= (3, 11)
    yield Finding(
        FINE if supported else WRONG,
        "Python",
        f"{platform.python_version()} ({name}), {platform.system()} {platform.machine()}",
        "" if supported else "install Python 3.11 or later",
    )
    try:
        own = metadata.version("biobert_jax")
    except metadata.PackageNotFoundError:
        yield Finding(
            NOTE, "biobert_jax", "not installed: used from its folder", "pip install -e ."
        )
        return
    yield Finding(FINE, "biobert_jax", f"{own}, {Path(__file__).resolve().parents[1]}")
    faults = [fault for need in needs() if (fault := _fault(*need))]
    if faults:
        yield Finding(WRONG, "packages", "; ".join(faults), "pip install --upgrade biobert_jax")
    else:
        shown = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
        yield Finding(FINE, "packages", ", ".join(f"{n} {metadata.version(n)}" for n in shown))
    if metadata.version("jax") != metadata.version("jaxlib"):
        both = f"jax {metadata.version('jax')}, jaxlib {metadata.version('jaxlib')}"
        yield Finding(
            WRONG, "jax and jaxlib", f"{both}: of different versions", "pip install -U jax"
        )


def needs(extra: str = "") -> Iterator[tuple[str, str]]:
    """The packages that the installed wheel asks for, with their lower bounds.

    Args:
      extra: those of this extra; otherwise those that all need.
    """
    for line in metadata.requires("biobert_jax") or ():
        requirement, _, marker = line.partition(";")
        of_extra = re.search(r"""extra\s*==\s*["']([^"']+)["']""", marker)
        if (of_extra[1] if of_extra else "") != extra:
            continue
        parts = re.fullmatch(
            r"\s*([\w.-]+)(?:\[[^\]]*\])?\s*\(?\s*(?:>=\s*([\w.]+))?.*", requirement
        )
        if parts:
            yield parts[1], parts[2] or "0"


def _fault(name: str, at_least: str) -> str:
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    if _numbers(found) < _numbers(at_least):
        return f"{name} is {found}; expected {at_least} or later"
    return ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version.partition("+")[0])[:3]))


def extras() -> Iterator[Finding]:
    """The optional packages: which are installed, and which are missing or too old."""
    for extra, use in _EXTRAS.items():
        of_extra = list(needs(extra))
        if not of_extra:  # the metadata of an older version, with a checkout before it
            yield Finding(NOTE, use, f"unknown to what is installed: no extra {extra!r}")
            continue
        missing = [name for name, bound in of_extra if _fault(name, bound)]
        if not missing:
            said = ", ".join(f"{name} {metadata.version(name)}" for name, _ in of_extra)
            yield Finding(FINE, use, said)
        else:
            found = f"without {', '.join(missing)}"
            yield Finding(NOTE, use, found, f"pip install 'biobert_jax[{extra}]'")


def devices() -> Iterator[Finding]:
    """What JAX computes on, and accelerators that it does not see."""
    import jax

    found = jax.devices()
    kinds = sorted({device.device_kind for device in found})
    memory = (found[0].memory_stats() or {}).get("bytes_limit")
    said = f"{len(found)} x {', '.join(kinds)} ({found[0].platform})"
    yield Finding(FINE, "devices", said + (f", {memory / _GIB:.1f} GiB each" if memory else ""))
    if found[0].platform != "cpu":
        return
    chosen = os.environ.get("JAX_PLATFORMS", "")
    for hint, what, extra in (
        ("/dev/nvidia0", "an NVIDIA GPU", "cuda13"),
        ("/dev/accel0", "a TPU", "tpu"),
        ("/dev/vfio/0", "a TPU", "tpu"),
    ):
        if Path(hint).exists():
            mend = f"pip install 'biobert_jax[{extra}]'"
            mend += " (cuda12 for older drivers)" if extra == "cuda13" else ""
            if chosen:
                mend = f"unset JAX_PLATFORMS, which is {chosen!r}"
            yield Finding(WRONG, "accelerator", f"{what} is here, and JAX does not use it", mend)
            return


def resources() -> Iterator[Finding]:
    """Cores, memory, disk, and what files are read with."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding(FINE, "cores", f"{cores} of {os.cpu_count()}")
    total, free = _memory()
    if total:
        # BERT-base with AdamW: weights, gradients and two moments of 108 million numbers.
        small = total < 4 * _GIB
        mend = "fine-tuning BERT-base wants 4 GiB: use a smaller model, or batch.sequences=8"
        yield Finding(
            NOTE if small else FINE,
            "memory",
            f"{free / _GIB:.1f} of {total / _GIB:.1f} GiB free",
            mend if small else "",
        )
    disk = shutil.disk_usage(".").free
    small = disk < 5 * _GIB
    yield Finding(
        NOTE if small else FINE,
        "disk",
        f"{disk / _GIB:.1f} GiB free in {Path.cwd()}",
        "a checkpoint of BERT-base with its optimizer is 1.3 GB" if small else "",
    )
    if sys.flags.utf8_mode == 0 and sys.getfilesystemencoding().lower() != "utf-8":
        found = f"names of files are read as {sys.getfilesystemencoding()}"
        yield Finding(WRONG, "encoding", found, "export LC_ALL=C.UTF-8")


def _memory() -> tuple[int, int]:
    """Bytes of memory that this process may have and that are free; 0, 0 where nobody says."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0, 0
    said = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if ":" in line}
    total, free = said.get("MemTotal", 0), said.get("MemAvailable", 0)
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        limit = "max"
    return (min(total, int(limit)), min(free, int(limit))) if limit.isdecimal() else (total, free)


def self_test() -> Iterator[Finding]:
    """Trains a tiny tagger for some steps, saves it and reads it back: about ten seconds."""
    import tempfile

    started = time.monotonic()
    from biobert_jax.launcher.self_test import train_and_read_back

    with tempfile.TemporaryDirectory() as folder:
        first, last, difference = train_and_read_back(Path(folder))
    seconds = time.monotonic() - started
    said = f"loss {first:.2f} to {last:.2f}, saved and read back, {seconds:.0f} s"
    if not last < 0.5 * first:
        mend = "please report this with `biobert doctor --json`"
        yield Finding(WRONG, "self-test", f"{said}: training does not learn", mend)
    elif difference > 1e-6:
        mend = "please report this with `biobert doctor --json`"
        yield Finding(WRONG, "self-test", f"the model read back differs by {difference:.1e}", mend)
    else:
        yield Finding(FINE, "self-test", said)
