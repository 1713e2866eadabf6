"""What a training step needs on a TPU slice, found out without one."""

import dataclasses
import functools
import logging
import math
import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import ml_collections

from biobert_jax.analysis.collectives import Traffic, between_slices, collectives
from biobert_jax.errors import UserError
from biobert_jax.tasks.protocol import Task
from biobert_jax.training.micro_batches import choose_micro_batches, step_memory
from biobert_jax.training.sharding import (
    bytes_on_a_device,
    check_divides,
    make_mesh,
    mesh_sizes,
    row_shards,
)
from biobert_jax.training.step import build_program, lower_train_step

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Chip:
    """A kind of TPU, by Google's documentation of it (docs.cloud.google.com/tpu/docs, 2026).

    Attributes:
      memory: bytes of HBM.
      flops: a second, bfloat16.
      bandwidth: of its HBM, bytes per second.
      links: bytes per second that it can send to its neighbours, all links together.
      network: bytes per second that it can send to other slices: its share of its hosts' network
        cards. 0: no figure is published.
    """

    memory: float
    flops: float
    bandwidth: float
    links: float
    network: float


CHIPS = {
    "v4": Chip(32 * 2**30, 275e12, 1228e9, 300e9, 0.0),
    "v5e": Chip(16 * 2**30, 197e12, 819e9, 200e9, 3.125e9),  # eight share 2 x 100 Gbit/s
    "v5p": Chip(95 * 2**30, 459e12, 2765e9, 600e9, 0.0),
    "v6e": Chip(32 * 2**30, 918e12, 1640e9, 448e9, 12.5e9),  # eight share 4 x 200 Gbit/s
}


@dataclasses.dataclass(frozen=True)
class Topology:
    """A slice by name, or several of it.

    Attributes:
      name: as in v5e:4x8.
      chip: its kind.
      chips: how many, of all slices.
      devices: what JAX sees; two a chip where a chip's two cores are separate.
      slices: how many.
    """

    name: str
    chip: Chip
    chips: int
    devices: Sequence[Any]
    slices: int = 1

    @property
    def device(self) -> Chip:
        """A device's share of its chip."""
        share = self.chips / len(self.devices)
        return Chip(*(value * share for value in dataclasses.astuple(self.chip)))


@dataclasses.dataclass(frozen=True)
class Compilation:
    """What was found out; bytes, operations and seconds of one step on one device.

    Attributes:
      parameters, optimizer: bytes of the state.
      batch: bytes of the step's other arguments.
      temporaries: bytes of activations, gradients and what else comes and goes.
      total: bytes at once.
      limit: bytes of the device; more, and the step does not fit.
      micro_batches, rows: in how many parts of how many rows a device takes its share.
      model_flops: by formula, without what is computed twice. (XLA's own count takes the body of
        a loop once.)
      accessed: bytes of HBM that are read or written at the least. (XLA's own count takes a stack
        of which a loop writes one layer as written whole.)
      traffic: collectives by kind, within a slice.
      between: what goes to other slices, by kind.
      compute_seconds, memory_seconds, network_seconds: what each would take alone.
      between_seconds: the same for the network between slices; infinite where its speed is not
        published.
      compile_seconds: of the program that was taken, on this machine.
    """

    parameters: int
    optimizer: int
    batch: int
    temporaries: int
    total: int
    limit: int
    micro_batches: int
    rows: int
    model_flops: float
    accessed: float
    traffic: dict[str, Traffic]
    compute_seconds: float
    memory_seconds: float
    network_seconds: float
    between: dict[str, Traffic] = dataclasses.field(default_factory=dict)
    between_seconds: float = 0.0
    compile_seconds: float = 0.0

    @property
    def fits(self) -> bool:
        return self.total <= self.limit

    @property
    def seconds(self) -> float:
        """The least that a step can take: its slowest part, the others hidden behind it."""
        return max(self.bounds.values())

    @property
    def bounds(self) -> dict[str, float]:
        """Seconds that each part would take alone."""
        bounds = {
            "compute": self.compute_seconds,
            "HBM": self.memory_seconds,
            "links": self.network_seconds,
        }
        if self.between and math.isfinite(self.between_seconds):
            bounds["network"] = self.between_seconds
        return bounds


class DoesNotFit(UserError):
    """The compiler says that a step needs more memory than a device has."""


def find_topology(name: str, slices: int = 1) -> Topology:
    """Looks up a slice; libtpu knows them without a TPU.

    Args:
      name: as in v5e:4x8.
      slices: how many of it, joined by the data centre's network.

    Raises:
      UserError: no such slice, or no libtpu.
    """
    kind, _, shape = name.partition(":")
    if kind not in CHIPS or not re.fullmatch(r"\d+(x\d+)+", shape):
        raise UserError(
            f"--topology={name}: expected one of {', '.join(CHIPS)}, and the shape of the slice, "
            "as in v5e:4x8 or v4:2x2x2"
        )
    if slices < 1:
        raise UserError(f"--slices={slices}: expected a number of slices, at least 1")
    # On a machine that is no TPU host libtpu looks for metadata and logs at length that it failed.
    for variable, value in (
        ("TPU_SKIP_MDS_QUERY", "1"),
        ("TPU_ACCELERATOR_TYPE", f"{kind}-1"),
        ("TPU_WORKER_HOSTNAMES", "localhost"),
        # Nothing runs on a TPU here, so that several of these may run at once.
        ("ALLOW_MULTIPLE_LIBTPU_LOAD", "1"),
        ("TPU_STDERR_LOG_LEVEL", "3"),
        ("TPU_MIN_LOG_LEVEL", "3"),
    ):
        os.environ.setdefault(variable, value)
    from jax.experimental import topologies

    try:
        # A v4's two cores are one device in JAX's jobs; the description splits them otherwise.
        options: dict[str, Any] = {"chip_config_name": "megacore"} if kind == "v4" else {}
        if slices > 1:
            options["num_slices"] = slices
        devices = topologies.get_topology_desc(name, platform="tpu", **options).devices
    except Exception as error:  # what libtpu raises differs from version to version
        raise UserError(
            f"--topology={name}: {str(error).splitlines()[0]}. It needs libtpu: "
            "pip install 'biobert_jax[tpu]'; and the slice must be one that Google offers"
        ) from error
    chips = slices * math.prod(int(size) for size in shape.split("x"))
    return Topology(name, CHIPS[kind], chips, devices, slices)


def compile_only(
    config: ml_collections.ConfigDict,
    task: Task,
    topology: Topology,
    model_flops: float,
) -> Compilation:
    """Compiles the training step for a slice and reads what it will need.

    Args:
      config: `batch`, `train`, `mesh`, `optimizer`, `seed`, `compute`.
      task: what is trained.
      topology: of `find_topology`.
      model_flops: of a step on all devices together.

    Raises:
      DoesNotFit: with the compiler's numbers and which setting to change.
    """
    mesh = make_mesh(mesh_sizes(config), topology.devices)
    shards, device = row_shards(mesh), topology.device
    rows = config.batch.rows
    if rows % shards:
        raise UserError(
            f"config.batch.rows is {rows}, which data x fsdp = {shards} devices do not divide"
        )
    check_divides(mesh, task.model.config)
    state = build_program(config, task, mesh, max(1, config.train.steps), 1).abstract
    parameters, moments = bytes_on_a_device(state.params), bytes_on_a_device(state.opt_state)
    share = rows // shards

    seconds: dict[int, float] = {}

    @functools.cache
    def compiled(count: int) -> jax.stages.Compiled:
        logger.info("compiling for %s, %d rows per device at once", topology.name, share // count)
        began = time.perf_counter()
        program = _compile(config, task, mesh, rows, count)
        seconds[count] = time.perf_counter() - began
        return program

    limit = int(device.memory)
    count = choose_micro_batches(
        config.train.micro_batch, share, True, lambda n: _memory(compiled, n), limit
    )
    try:
        program = compiled(count)
    except DoesNotFit as error:
        raise DoesNotFit(
            f"{error}. {_advice(share // count, parameters + moments, limit)}"
        ) from error
    memory: Any = program.memory_analysis()

    # Where everything of a layer is computed again, the forward pass runs twice.
    again = 4 / 3 if config.compute.remat == "full" else 1
    operations = again * model_flops / len(topology.devices)
    # What is alive at once was written and will be read; the state is read and written.
    accessed = 2 * count * memory.temp_size_in_bytes + 2 * memory.argument_size_in_bytes
    text = program.as_text() or ""
    sent, between = collectives(text), between_slices(text)
    within = len(topology.devices) // topology.slices
    found = Compilation(
        parameters=parameters,
        optimizer=moments,
        batch=memory.argument_size_in_bytes - parameters - moments,
        temporaries=memory.temp_size_in_bytes,
        total=step_memory(program),
        limit=limit,
        micro_batches=count,
        rows=share // count,
        model_flops=model_flops / len(topology.devices),
        accessed=accessed,
        traffic=sent,
        compute_seconds=operations / device.flops,
        memory_seconds=accessed / device.bandwidth,
        network_seconds=network_seconds(sent, within, device.links),
        between=between,
        between_seconds=network_seconds(between, topology.slices, device.network),
        compile_seconds=seconds[count],
    )
    if not found.fits:
        raise DoesNotFit(
            f"a step takes {found.total / 2**30:.2f} GiB of a device's {limit / 2**30:.2f}. "
            + _advice(found.rows, parameters + moments, limit)
        )
    return found


def network_seconds(traffic: Mapping[str, Traffic], peers: int, links: float) -> float:
    """The least time for collectives over `peers`: rings that use all links at once.

    Args:
      traffic: of each of them.
      peers: devices of a slice, or slices.
      links: bytes per second that each can send; 0: not known, which makes the time infinite.
    """
    if not traffic:
        return 0.0
    if not links:
        return math.inf
    sent = {
        "all-reduce": 2 * (peers - 1) / peers,
        "all-gather": (peers - 1) / peers,
        "reduce-scatter": peers - 1,  # its result is one part
        "all-to-all": (peers - 1) / peers,
        "collective-permute": 1.0,
    }
    return sum(sent.get(kind, 1.0) * found.bytes for kind, found in traffic.items()) / links


def _compile(config, task, mesh, rows, count) -> jax.stages.Compiled:
    try:
        return lower_train_step(config, task, mesh, rows, count).compile()
    except jax.errors.JaxRuntimeError as error:
        message = str(error)
        if "RESOURCE_EXHAUSTED" not in message:
            raise
        sizes = re.search(r"([\d.]+[KMGT])\W.*?([\d.]+[KMGT])\W", message.partition("emory")[2])
        sizes_text = f"it needs {sizes[1]}, and a device has {sizes[2]}" if sizes else message
        raise DoesNotFit(f"the compiler says that the step does not fit: {sizes_text}") from error


def _memory(compiled: Callable[[int], jax.stages.Compiled], count: int) -> int:
    try:
        return step_memory(compiled(count))
    except DoesNotFit:
        return sys.maxsize


def _advice(rows: int, state: int, limit: int) -> str:
    if state > limit / 2:
        return (
            f"Parameters and optimiser alone take {state / 2**30:.2f} GiB: spread them with "
            "--config.mesh.fsdp (and --config.mesh.data=1)"
        )
    if rows > 1:
        return f"Set --config.train.micro_batch={rows // 2} or auto, or --config.compute.remat=full"
    return "Set --config.compute.remat=full, or spread the state with --config.mesh.fsdp"
