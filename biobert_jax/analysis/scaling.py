"""What a pre-training step would take on slices of several sizes, from the compiler: one table.

Each slice is compiled for in a process of its own (`--compile_only --json`), since libtpu is set up
for one kind of TPU only. A folder keeps what was found: a call that ends early loses nothing.

Hosts of GPUs come from the same arithmetic: what a device reads, writes and sends is that of the
program for as many TPU devices, and the speeds are NVIDIA's.
"""

import argparse
import dataclasses
import math
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from biobert_jax.errors import DataError, UserError
from biobert_jax.files import read_json

SLICES = (
    *("v5e:2x4", "v5e:4x4", "v5e:4x8", "v5e:8x8", "v5e:8x16", "v5e:16x16", "4*v5e:4x8"),
    *("v5p:2x2x2", "v5p:2x4x4", "v6e:4x4", "v6e:8x8"),
)


@dataclasses.dataclass(frozen=True)
class Gpu:
    """A kind of GPU, eight of them a host; bytes and operations per second.

    Attributes:
      flops: bfloat16, dense (NVIDIA's data sheets of H100 SXM and H200 SXM).
      bandwidth: of its memory (the same).
      links: that it can send within its host: half of NVLink's 900 GB/s, which count both ways.
      network: that it can send to other hosts: a card of 400 Gbit/s each, as in DGX H100 and H200.
    """

    flops: float
    bandwidth: float
    links: float = 450e9
    network: float = 50e9
    on_a_host: int = 8


GPUS = {"H100": Gpu(989e12, 3.35e12), "H200": Gpu(989e12, 4.8e12)}


@dataclasses.dataclass(frozen=True)
class Step:
    """A step on some devices, as the table shows it.

    Attributes:
      name: of the devices.
      kind: what efficiency is compared within.
      devices: how many.
      rows, row_length: of the whole batch.
      sent, between: bytes that a device sends within its slice or host, and to others.
      bounds: seconds that each part would take alone.
      compile_seconds: 0 where nothing was compiled for these devices.
    """

    name: str
    kind: str
    devices: int
    rows: int
    row_length: int
    sent: int
    between: int
    bounds: Mapping[str, float]
    compile_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """At the least: the slowest part, with all others hidden behind it."""
        return max(self.bounds.values())

    @property
    def bound(self) -> str:
        return max(self.bounds, key=lambda name: self.bounds[name])

    @property
    def rows_per_device_second(self) -> float:
        return self.rows / self.devices / self.seconds


def declare(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `biobert scaling`."""
    parser.add_argument("--config", default="biobert_v1_0_pubmed", help="of a pre-training")
    parser.add_argument(
        "--slices", nargs="+", default=SLICES, metavar="SLICE", help="such as v5e:4x8, 4*v5e:4x8"
    )
    parser.add_argument(
        "--rows-per-device", type=int, metavar="N", help="the batch grows with the slice (weak)"
    )
    parser.add_argument("--gpu-hosts", nargs="*", type=int, default=[1, 2, 4, 8], metavar="N")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="keeps numbers")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="of the config")


def run(args: argparse.Namespace) -> None:
    """Compiles for each slice that the folder lacks, then prints the table.

    Raises:
      UserError: a slice that is none.
    """
    asked = [parse(name) for name in args.slices]
    args.output.mkdir(parents=True, exist_ok=True)
    found = []
    for slices, topology in asked:
        rows = args.rows_per_device
        name = f"{slices}x{topology.replace(':', '-')}{f'-{rows}-each' if rows else ''}.json"
        file = args.output / name
        if not file.is_file():
            print(f"compiling for {slices} x {topology}", file=sys.stderr, flush=True)
            _compile(args.config, slices, topology, rows, args.set, file)
        if file.is_file():
            found.append(read_json(file))
    if not found:
        raise UserError("nothing was compiled; see the messages above")
    steps = [of_tpu(record) for record in found]
    steps += [
        of_gpus(kind, hosts, record)
        for kind in GPUS
        for hosts in args.gpu_hosts
        if (record := same_devices(found, hosts * GPUS[kind].on_a_host))
    ]
    print("\n".join(table(steps)))


def parse(name: str) -> tuple[int, str]:
    """`4*v5e:4x8` as (4, "v5e:4x8").

    Raises:
      UserError: it has another form.
    """
    match = re.fullmatch(r"(?:([1-9]\d*)\*)?(\w+:\d+(?:x\d+)+)", name)
    if not match:
        raise UserError(f"--slices: {name!r} is none; expected such as v5e:4x8, or 4*v5e:4x8")
    return int(match[1] or 1), match[2]


def _compile(
    config: str, slices: int, topology: str, rows: int | None, changes: Sequence[str], file: Path
) -> None:
    """Compiles in a process of its own; a slice that fails is reported and left out."""
    flags = [f"--config={config}", "--compile_only", f"--topology={topology}"]
    flags += [f"--slices={slices}", f"--json={file.absolute()}"]
    flags += [f"--config.{change}" for change in changes]
    if rows:
        chips = slices * math.prod(map(int, topology.partition(":")[2].split("x")))
        flags.append(f"--config.batch.rows={rows * chips}")
    command = [sys.executable, "-m", "biobert_jax.cli", "train", "pretrain", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"{slices} x {topology}: {last}", file=sys.stderr)


def of_tpu(record: Mapping[str, Any]) -> Step:
    """A step of what `--compile_only --json` wrote.

    Raises:
      DataError: it is no such record.
    """
    try:
        bounds = {
            "compute": record["compute_seconds"],
            "HBM": record["memory_seconds"],
            "links": record["network_seconds"],
        }
        if record["between"] and record["between_seconds"] is not None:
            bounds["network"] = record["between_seconds"]
        slices, topology = record["slices"], record["topology"]
        return Step(
            name=topology if slices == 1 else f"{slices} x {topology}",
            kind=topology.partition(":")[0],
            devices=record["devices"],
            rows=record["rows"] * record["micro_batches"] * record["devices"],
            row_length=record["row_length"],
            sent=_bytes(record["traffic"]),
            between=_bytes(record["between"]),
            bounds=bounds,
            compile_seconds=record["compile_seconds"],
        )
    except (KeyError, TypeError) as error:
        raise DataError(f"not what --compile_only --json writes: {error} is missing") from error


def same_devices(records: Sequence[Mapping[str, Any]], devices: int) -> Mapping[str, Any] | None:
    """The record of one slice with as many devices, if any."""
    fitting = (one for one in records if one["devices"] == devices and one["slices"] == 1)
    return next(fitting, None)


def of_gpus(kind: str, hosts: int, record: Mapping[str, Any]) -> Step:
    """The same program on hosts of GPUs.

    An all-reduce is one within each host, of which each GPU then exchanges its part with those of
    the other hosts.

    Args:
      kind: of `GPUS`.
      hosts: how many.
      record: of as many TPU devices.
    """
    gpu, sent = GPUS[kind], _bytes(record["traffic"])
    part, others = 1 / gpu.on_a_host, (hosts - 1) / hosts
    bounds = {
        "compute": record["compute_seconds"] * record["device"]["flops"] / gpu.flops,
        "HBM": record["accessed"] / gpu.bandwidth,
        "links": 2 * (1 - part) * sent / gpu.links,
    }
    if hosts > 1:
        bounds["network"] = 2 * others * part * sent / gpu.network
    return Step(
        name=f"{hosts} x 8 {kind}",
        kind=kind,
        devices=hosts * gpu.on_a_host,
        rows=of_tpu(record).rows,
        row_length=record["row_length"],
        sent=sent,
        between=int(part * sent) if hosts > 1 else 0,
        bounds=bounds,
    )


def table(steps: Sequence[Step]) -> list[str]:
    """Markdown; efficiency is rows per device and second, relative to the kind's first line."""
    parts = ("compute", "HBM", "links", "network")
    lines = [
        "| | devices | rows of each | MB sent | MB to others | "
        + " | ".join(f"{part}, ms" for part in parts)
        + " | bound | positions/s at most | efficiency at most | compiled in |",
        "|---" + "|---:" * 8 + "|---" + "|---:" * 3 + "|",
    ]
    first: dict[str, Step] = {}
    for step in steps:
        base = first.setdefault(step.kind, step)
        efficiency = step.rows_per_device_second / base.rows_per_device_second
        positions = step.rows * step.row_length / step.seconds
        cells = [step.name, f"{step.devices}", f"{step.rows / step.devices:g}"]
        cells += [f"{step.sent / 1e6:,.0f}", f"{step.between / 1e6:,.0f}" if step.between else ""]
        cells += [f"{1e3 * step.bounds[part]:.1f}" if part in step.bounds else "" for part in parts]
        cells += [step.bound, f"{positions / 1e6:,.1f} M", f"{efficiency:.0%}"]
        cells.append(f"{step.compile_seconds:,.0f} s" if step.compile_seconds else "")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _bytes(traffic: Mapping[str, Sequence[int]]) -> int:
    return sum(of_kind[1] for of_kind in traffic.values())
