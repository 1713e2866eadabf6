"""What the entry points share: flags, logging, devices."""

import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from absl import app, flags
from ml_collections import config_flags

from biobert_jax.training.huge_pages import use_huge_pages

CONFIG = config_flags.DEFINE_config_file("config", None, "The experiment, e.g. configs/ner/s800.py")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; one that exists is resumed.")
COORDINATOR = flags.DEFINE_string(
    "coordinator",
    None,
    "host:port of process 0, for several processes. Not needed with srun, mpirun, Cloud TPU: "
    "docs/clusters.md.",
)
PROCESSES = flags.DEFINE_integer(
    "num_processes", None, "How many processes train together. 1: this one alone, on any cluster."
)
PROCESS_ID = flags.DEFINE_integer("process_id", None, "The number of this one, from 0.")
flags.mark_flag_as_required("config")


def launch(main: Callable[[list[str]], None]) -> NoReturn:
    """Reads the flags and runs an experiment's `main`."""
    use_huge_pages()

    def together(argv: list[str]) -> None:
        from biobert_jax.cluster.job import end_job_on_error

        with end_job_on_error():
            main(argv)

    app.run(together, flags_parser=_parse_flags)


def run_with_flags(run: Callable[[Any, Path], None]) -> None:
    """Calls `run` with the config and the workdir of the flags; tells expected failures in a line.

    Heavy imports wait until the flags are read, so that --help answers at once.
    """
    from biobert_jax.errors import told_to_user

    with told_to_user():
        run(CONFIG.value, WORKDIR.value and Path(WORKDIR.value))


def _parse_flags(argv: list[str]) -> list[str]:
    """Parses as absl does, but answers mistakes in a config with a line instead of a traceback."""
    try:
        arguments = flags.FLAGS(argv)
        CONFIG.value.lock()  # a file that is not there is told on first use only
        known = flags.FLAGS.flag_values_dict()
        if not WORKDIR.value and not known.get("compile_only"):
            raise flags.Error("Flag --workdir must have a value other than None")
        return arguments
    except (flags.Error, OSError) as error:
        # Where a config file raised something, the message ends with that.
        message = str(error).strip().splitlines()[-1].strip()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        given = ", ".join(flag for flag in argv if flag.startswith("--config."))
        message = (
            f"{' '.join(str(error).split())}: no such setting, or not of this type, in {given}"
        )
    print(f"error: {message}. See --help, and the config file for its settings", file=sys.stderr)
    sys.exit(1)


def setup() -> None:
    """Logging, the compilation cache, and the other processes where there are any."""
    import jax

    from biobert_jax.cluster import job as distributed
    from biobert_jax.training.checkpointing import quiet_orbax_logging

    # Milliseconds since the launch stand on every line: a slow start shows where it is slow.
    form = "%(levelname).1s %(relativeCreated)6.0f ms  %(message)s"
    logging.basicConfig(format=form, stream=sys.stderr, force=True)
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("absl").setLevel(logging.WARNING)  # Orbax tells forty lines a checkpoint
    logging.getLogger("biobert_jax").setLevel(logging.INFO)
    quiet_orbax_logging()
    # What a thread of Orbax raises is raised again, and told, where the save is waited for.
    threading.excepthook = _tell_unless_told_later
    sys.unraisablehook = _tell_unless_too_late
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "biobert_jax" / "xla"
    jax.config.update(
        "jax_compilation_cache_dir", os.environ.get("JAX_COMPILATION_CACHE_DIR", str(cache))
    )
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    limits = distributed.Timeouts(**CONFIG.value.get("distributed", {}))
    job = distributed.find_job(
        COORDINATOR.value, PROCESSES.value, PROCESS_ID.value, limits.connect_timeout
    )
    if job is not None and job.process_id != 0:
        logging.getLogger("biobert_jax").setLevel(logging.WARNING)
    distributed.set_up(job, limits)


def _tell_unless_told_later(args: threading.ExceptHookArgs) -> None:
    frames = traceback.extract_tb(args.exc_traceback)
    if any("orbax" in frame.filename for frame in frames):
        logging.getLogger("biobert_jax").debug("in a thread of Orbax", exc_info=args.exc_value)
    else:
        threading.__excepthook__(args)


def _tell_unless_too_late(args: "sys.UnraisableHookArgs") -> None:
    # TensorStore's other writes fail after Orbax has given up on a save, and print each of these.
    if str(args.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(args)
