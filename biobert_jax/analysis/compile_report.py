"""What `--compile_only` found out, as tables on a terminal."""

import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from biobert_jax.analysis.collectives import Traffic

GIB = 2**30


def print_compilation(found: Any, topology: Any, console: Console | None = None) -> None:
    """Prints memory, work, traffic and the roofline of a step.

    Args:
      found: of `analysis.compile_only.compile_only`.
      topology: of `analysis.compile_only.find_topology`.
      console: where to; standard output by default.
    """
    console = console or Console()
    several = f"{topology.slices} x " if topology.slices > 1 else ""
    console.print(
        f"{several}{topology.name}: {topology.chips} chips, {len(topology.devices)} devices; each "
        f"takes its rows in {found.micro_batches} x {found.rows}"
    )
    memory = Table(title="Memory of a device")
    memory.add_column("what")
    memory.add_column("GiB", justify="right")
    for name, size in (
        ("parameters", found.parameters),
        ("optimiser", found.optimizer),
        ("batch", found.batch),
        ("activations, gradients, scratch", found.temporaries),
    ):
        memory.add_row(name, f"{size / GIB:.3f}")
    memory.add_row("at once", f"{found.total / GIB:.3f}", style="bold")
    memory.add_row("there is", f"{found.limit / GIB:.3f}")
    console.print(memory)

    for title, kinds in (
        ("Sent by a device in a step", found.traffic),
        ("Sent by a device to other slices, over the data centre's network", found.between),
    ):
        if kinds or kinds is found.traffic:
            console.print(_traffic(title, kinds))

    work = Table(title="The least that a step can take")
    for name in ("bound by", "amount", "ms"):
        work.add_column(name, justify="left" if name == "bound by" else "right")
    rows = [
        ("matrix units", f"{found.model_flops / 1e12:,.2f} TFLOP", found.compute_seconds),
        ("HBM", f"{found.accessed / 1e9:,.2f} GB", found.memory_seconds),
        ("links", f"{_bytes(found.traffic) / 1e9:,.2f} GB", found.network_seconds),
    ]
    if found.between:
        sent = f"{_bytes(found.between) / 1e9:,.2f} GB"
        rows.append(("network between slices", sent, found.between_seconds))
    for name, amount, seconds in rows:
        work.add_row(name, amount, _milliseconds(seconds))
    console.print(work)
    utilisation = found.model_flops / found.seconds / topology.device.flops
    console.print(
        f"a step takes {1e3 * found.seconds:.1f} ms or more; MFU at most {100 * utilisation:.0f}%"
    )


def _traffic(title: str, kinds: Mapping[str, Traffic]) -> Table:
    table = Table(title=title)
    for name in ("collective", "how often", "MB"):
        table.add_column(name, justify="left" if name == "collective" else "right")
    for kind, of_kind in kinds.items():
        table.add_row(kind, f"{of_kind.count:,}", f"{of_kind.bytes / 1e6:,.1f}")
    return table


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:,.1f}" if math.isfinite(seconds) else "no speed published"


def _bytes(kinds: Mapping[str, Traffic]) -> int:
    return sum(of_kind.bytes for of_kind in kinds.values())
