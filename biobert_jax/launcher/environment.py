"""What a program sets for its whole process: logging, hooks, the compilation cache, its job."""

import logging
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import jax

from biobert_jax.cluster import job as jobs
from biobert_jax.errors import PrintableFormatter
from biobert_jax.training.checkpointing import quiet_orbax_logging


def set_up(
    timeouts: dict[str, Any],
    coordinator: str | None = None,
    num_processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Prepares this process to train; only entry points call this.

    Args:
      timeouts: `config.distributed`.
      coordinator, num_processes, process_id: flags; see `cluster.job.find_job`.

    Raises:
      TrainingError: the processes of the job do not find each other.
    """
    _log_to_stderr()
    # An exception in one of Orbax's threads is raised again, and reported, where the save is
    # waited for.
    threading.excepthook = _report_unless_orbax_will
    sys.unraisablehook = _report_unless_too_late
    _cache_compilations()
    limits = jobs.Timeouts(**timeouts)
    job = jobs.find_job(coordinator, num_processes, process_id, limits.connect_timeout)
    if job is not None and job.process_id != 0:
        logging.getLogger("biobert_jax").setLevel(logging.WARNING)
    jobs.set_up(job, limits)


def _log_to_stderr() -> None:
    # Every line has the milliseconds since the launch: a slow start shows where it is slow.
    form = "%(levelname).1s %(relativeCreated)6.0f ms  %(message)s"
    logging.basicConfig(stream=sys.stderr, force=True)
    logging.getLogger().handlers[0].setFormatter(PrintableFormatter(form))
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("absl").setLevel(logging.WARNING)  # Orbax logs forty lines per checkpoint
    logging.getLogger("biobert_jax").setLevel(logging.INFO)
    quiet_orbax_logging()


def _cache_compilations() -> None:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "biobert_jax" / "xla"
    jax.config.update(
        "jax_compilation_cache_dir", os.environ.get("JAX_COMPILATION_CACHE_DIR", str(cache))
    )
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _report_unless_orbax_will(args: threading.ExceptHookArgs) -> None:
    frames = traceback.extract_tb(args.exc_traceback)
    if any("orbax" in frame.filename for frame in frames):
        logging.getLogger("biobert_jax").debug("in a thread of Orbax", exc_info=args.exc_value)
    else:
        threading.__excepthook__(args)


def _report_unless_too_late(args: "sys.UnraisableHookArgs") -> None:
    # TensorStore's other writes fail after Orbax has given up on a save, and print each of these.
    if str(args.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(args)
