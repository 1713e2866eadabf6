"""The processes of one job: finding it, connecting them, and ending all when one fails.

A process that trains alone sets nothing up, uses no network, and imports no private part of JAX.
"""

import contextlib
import dataclasses
import logging
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax

from biobert_jax.cluster.rendezvous import Member, roll_call
from biobert_jax.cluster.watchdog import Timeouts, Watch, exit_now
from biobert_jax.errors import TrainingError, report

logger = logging.getLogger(__name__)

_watch: Watch | None = None
"""Of this process, from `set_up` on; None where it trains alone."""


@dataclasses.dataclass(frozen=True)
class Job:
    """The arguments of jax.distributed.initialize.

    Attributes:
      coordinator_address: `host:port` of process 0.
      num_processes: how many there are.
      process_id: which one this is.
      local_device_ids: the accelerators of this host that this process uses; None for all.
    """

    coordinator_address: str
    num_processes: int
    process_id: int
    local_device_ids: Sequence[int] | None = None


def find_job(
    coordinator: str | None,
    num_processes: int | None,
    process_id: int | None,
    timeout: float = Timeouts.connect_timeout,
) -> Job | None:
    """Finds the job that this process belongs to, by its flags or else by its environment.

    Recognised is what JAX recognises: tasks of srun, of mpirun, the hosts of a Cloud TPU slice
    (alone or on GKE), pods of an indexed Kubernetes Job where the package `kubernetes` is there.

    Args:
      coordinator, num_processes, process_id: flags; None where not given. `num_processes=1` alone
        makes this process train alone, wherever it runs.
      timeout: seconds to wait for the coordinator's name to be known, on Cloud TPU.

    Returns:
      None where this process trains alone.

    Raises:
      TrainingError: only some of the flags are given, or they do not fit each other; the place is
        recognised but does not say enough.
    """
    given = {
        "--coordinator": coordinator,
        "--num_processes": num_processes,
        "--process_id": process_id,
    }
    if num_processes == 1 and coordinator is None and process_id is None:
        return None
    if any(value is not None for value in given.values()):
        return _job_of_flags(given)
    if not _runs_with_others(os.environ):
        return None
    # Private: what jax.distributed.initialize asks for an argument that is missing.
    from jax._src.clusters import ClusterEnv

    try:
        found = ClusterEnv.auto_detect_unset_distributed_params(
            None, None, None, None, None, int(timeout)
        )
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        raise TrainingError(
            f"this process looks like one of a cluster's, but its place there could not be found "
            f"out ({' '.join(str(error).split())}). Give --coordinator, --num_processes and "
            "--process_id, or --num_processes=1 to train by itself"
        ) from error
    address, count, number, devices = found
    if address is None or count is None or number is None:
        rank = next((n for n in ("SLURM_PROCID", "OMPI_COMM_WORLD_RANK") if n in os.environ), None)
        if rank is None:
            return None
        raise TrainingError(
            f"{rank} is set, but JAX {jax.__version__} does not see from the environment what "
            f"job it is. Give --coordinator, --num_processes and --process_id=${rank}, or "
            "--num_processes=1 to train by itself"
        )
    job = Job(address, int(os.environ.get("SLURM_STEP_NUM_TASKS", count)), number, devices)
    if _uses_all_devices(os.environ):
        job = dataclasses.replace(job, local_device_ids=None)
    return job if job.num_processes > 1 else None


def _job_of_flags(given: Mapping[str, Any]) -> Job:
    missing = [name for name, value in given.items() if value is None]
    if missing:
        raise TrainingError(
            f"{' and '.join(name for name in given if name not in missing)} given without "
            f"{' and '.join(missing)}; several processes need all three, and one alone none"
        )
    coordinator, count, number = given.values()
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise TrainingError(
            f"--coordinator is {coordinator!r}; expected the host of process 0 and a free port of "
            "it, such as node1:8476"
        )
    if not 0 <= number < count:
        raise TrainingError(
            f"--process_id is {number} and --num_processes {count}; expected a number from 0 to "
            f"{count - 1}"
        )
    return Job(coordinator, count, number)


def _runs_with_others(environ: Mapping[str, str]) -> bool:
    """Whether to ask JAX what cluster this is: it takes some places for more than they are."""
    if "SLURM_JOB_ID" in environ:
        # A step may have another number of tasks than its job.
        tasks = environ.get("SLURM_STEP_NUM_TASKS", environ.get("SLURM_NTASKS", "1"))
        if tasks != "1" and "SLURM_STEP_NODELIST" not in environ:
            logger.warning(
                "SLURM_NTASKS is %s, but srun did not start this process: it trains by itself",
                tasks,
            )
            return False
        return tasks != "1"
    if "OMPI_COMM_WORLD_SIZE" in environ:
        return environ["OMPI_COMM_WORLD_SIZE"] != "1"
    # Every pod of Kubernetes knows the service; only those of an indexed Job have a number.
    on_tpu_hosts = "TPU_WORKER_HOSTNAMES" in environ or "TPU_PROCESS_ADDRESSES" in environ
    if "KUBERNETES_SERVICE_HOST" in environ and not on_tpu_hosts:
        return "JOB_COMPLETION_INDEX" in environ
    return True


def _uses_all_devices(environ: Mapping[str, str]) -> bool:
    """Whether Slurm's way of starting tasks leaves this one all GPUs that it sees.

    JAX gives task i of a host its i-th GPU. That is wrong where the host has one task, and where
    Slurm shows each task its own GPU alone.
    """
    if "SLURM_PROCID" not in environ:
        return False
    one_task_a_host = environ.get("SLURM_STEP_NUM_NODES") == environ["SLURM_NTASKS"]
    visible = environ.get("CUDA_VISIBLE_DEVICES", environ.get("ROCR_VISIBLE_DEVICES", ""))
    return one_task_a_host or (visible != "" and "," not in visible)


def set_up(job: Job | None, limits: Timeouts) -> None:
    """Connects the processes of a job and starts the watch; a second call does nothing.

    Args:
      job: what `find_job` says.
      limits: how long to wait for what.

    Raises:
      TrainingError: they do not connect in time, or disagree about the job.
    """
    global _watch
    for name, value in dataclasses.asdict(limits).items():
        if value < 0 or (value < 1 and name != "stall_timeout"):
            raise TrainingError(f"config.distributed.{name} is {value}; expected at least 1 second")
    if job is None or _watch is not None:
        return
    me = Member(job.process_id, job.num_processes, socket.gethostname())
    hosts = roll_call(job.coordinator_address, me, limits.connect_timeout)
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(
        **dataclasses.asdict(job),
        cluster_detection_method="deactivate",
        initialization_timeout=int(limits.connect_timeout),
        # JAX aborts after two thirds of it or later: long after the watch has named who was lost.
        heartbeat_timeout_seconds=int(4 * limits.lost_timeout),
    )
    from jax._src.distributed import global_state  # private: the client has no public name

    store: Any = global_state.client
    _watch = Watch(store, job.process_id, hosts, limits)
    logger.info(
        "process %d of %d, on %s; a lost process ends the job after %g s, no progress after %g s",
        job.process_id,
        job.num_processes,
        me.host,
        limits.lost_timeout,
        limits.stall_timeout,
    )


def report_progress(step: int | None = None) -> None:
    """Reports progress to the watch; with a step, that this step ended. Free in a lone process."""
    if _watch is not None:
        _watch.report_progress(step)


@contextlib.contextmanager
def end_job_on_error() -> Iterator[None]:
    """Ends all processes of a job when an error leaves the block in one of them.

    Otherwise the others would wait for it in the next collective operation. Wrap what runs, inside
    `errors.report_errors`: here it is known whether another process is behind a failure.
    """
    try:
        yield
    except BaseException as error:
        if _watch is None or (isinstance(error, SystemExit) and not error.code):
            raise
        _wait_for_verdict(error)
        if isinstance(error, SystemExit):
            status = error.code if isinstance(error.code, int) else 1
        else:
            status = report(error)
        cause = error.__context__ if isinstance(error, SystemExit) else error
        _watch.fail(f"{type(cause or error).__name__}: {cause or error}")
        exit_now(status)
    if _watch is not None:
        _watch.finish()


def is_communication_error(error: BaseException) -> bool:
    """Whether an operation of several processes failed, so that one of them may be gone.

    JAX raises these as ValueError or JaxRuntimeError, beginning with the code of XLA's status.
    """
    codes = r"(UNKNOWN|INTERNAL|UNAVAILABLE|ABORTED|CANCELLED|DEADLINE_EXCEEDED): "
    return jax.process_count() > 1 and re.match(codes, str(error)) is not None


def _wait_for_verdict(error: BaseException) -> None:
    """After a communication error, gives the watch time to name the process that was lost."""
    if _watch is not None and is_communication_error(error):
        first_line = str(error).partition("\n")[0]
        logger.warning("%s: waiting for the watch to name the lost process", first_line)
        time.sleep(1.5 * _watch.limits.lost_timeout)
