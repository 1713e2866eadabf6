"""What `--compile_only` found out, as tables on a terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table

GIB = 2**30


def print_compilation(found: Any, topology: Any, console: Console | None = None) -> None:
    """Prints memory, work, traffic and the roofline of a step.

    Args:
      found: of `analysis.compile_only.compile_only`.
      topology: of `analysis.compile_only.find_topology`.
      console: where to; standard output by default.
    """
    console = console or Console()
    console.print(
        f"{topology.name}: {topology.chips} chips, {len(topology.devices)} devices; each takes its "
        f"rows in {found.micro_batches} x {found.rows}"
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

    traffic = Table(title="Sent by a device in a step")
    for name in ("collective", "how often", "MB"):
        traffic.add_column(name, justify="left" if name == "collective" else "right")
    for kind, of_kind in found.traffic.items():
        traffic.add_row(kind, f"{of_kind.count:,}", f"{of_kind.bytes / 1e6:,.1f}")
    console.print(traffic)

    work = Table(title="The least that a step can take")
    for name in ("bound by", "amount", "ms"):
        work.add_column(name, justify="left" if name == "bound by" else "right")
    for name, amount, seconds in (
        ("matrix units", f"{found.model_flops / 1e12:,.2f} TFLOP", found.compute_seconds),
        ("HBM", f"{found.accessed / 1e9:,.2f} GB", found.memory_seconds),
        ("links", f"{_sent(found) / 1e9:,.2f} GB", found.network_seconds),
    ):
        work.add_row(name, amount, f"{1e3 * seconds:,.1f}")
    console.print(work)
    utilisation = found.model_flops / found.seconds / topology.device.flops
    console.print(
        f"a step takes {1e3 * found.seconds:.1f} ms or more; MFU at most {100 * utilisation:.0f}%"
    )


def _sent(found: Any) -> int:
    return sum(of_kind.bytes for of_kind in found.traffic.values())
