"""The entry points' flags. Heavy imports wait until they are read: --help answers at once."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from absl import app, flags
from ml_collections import config_flags

from biobert_jax.errors import TrainingError, printable, report_errors
from biobert_jax.launcher.checks import check_settings
from biobert_jax.tasks import registry
from biobert_jax.training.huge_pages import use_huge_pages

Program = Callable[[Any, Path], Any]
"""Does the work, given the config and the workdir of the flags."""


def launch(task: str) -> NoReturn:
    """Reads the flags, then trains and scores a task of the registry.

    Args:
      task: the value that `config.task` must have.
    """
    entry = registry.find(task)
    if entry.compile_only:
        flags.DEFINE_bool(
            "compile_only", False, "Only compile the step for --topology and print what it needs."
        )
        flags.DEFINE_string("topology", "v5e:4x8", "A TPU slice, for --compile_only.")

    def program(config: Any, workdir: Path) -> None:
        if _only_compiles():
            registry.resolve(entry.compile_only)(config, flags.FLAGS.topology)
            return
        from biobert_jax.launcher import train

        train.run(config, workdir)

    def check(config: Any) -> None:
        check_task(config, task)
        check_settings(config)

    launch_program(program, check)


def check_task(config: Any, task: str) -> None:
    """Raises TrainingError where a config is not of this task."""
    asked = config.get("task")
    if asked != task:
        instead = registry.find(asked).command  # or an error that says which tasks there are
        raise TrainingError(
            f"config.task is {asked!r}, and this command is for {task!r}. Give a config of "
            f"configs/{registry.find(task).command}/, or run experiments.{instead}"
        )


def launch_program(program: Program, check: Callable[[Any], None] | None = None) -> NoReturn:
    """Reads the flags and runs a program; expected failures end it with one message.

    Args:
      program: the work.
      check: raises UserError for a config that it cannot work with, before anything starts.
    """
    use_huge_pages()
    define()

    def main(argv: list[str]) -> None:
        del argv
        from biobert_jax.cluster.job import end_job_on_error

        values = flags.FLAGS
        with report_errors(), end_job_on_error():
            if check is not None:
                check(values.config)
            if _only_compiles():
                import jax

                jax.config.update("jax_platforms", "cpu")
            from biobert_jax.launcher import environment

            environment.set_up(
                dict(values.config.get("distributed", {})),
                values.coordinator,
                values.num_processes,
                values.process_id,
            )
            program(values.config, values.workdir and Path(values.workdir))

    app.run(main, flags_parser=_parse)


def define() -> None:
    """Declares the flags that all entry points have."""
    config_flags.DEFINE_config_file("config", None, "The experiment, e.g. configs/ner/s800.py")
    flags.DEFINE_string("workdir", None, "Folder of the run; one that exists is resumed.")
    flags.DEFINE_string(
        "coordinator",
        None,
        "host:port of process 0, for several processes. Not needed with srun, mpirun, Cloud TPU: "
        "docs/clusters.md.",
    )
    flags.DEFINE_integer(
        "num_processes",
        None,
        "How many processes train together. 1: this one alone, on any cluster.",
    )
    flags.DEFINE_integer("process_id", None, "The number of this one, from 0.")
    flags.mark_flag_as_required("config")


def _only_compiles() -> bool:
    return bool(flags.FLAGS.flag_values_dict().get("compile_only"))


def _parse(argv: list[str]) -> list[str]:
    """Parses as absl does, but answers mistakes in a config with a line instead of a traceback."""
    values = flags.FLAGS
    try:
        arguments = values(argv)
        values.config.lock()  # a file that does not exist is reported on first use only
        if not values.workdir and not _only_compiles():
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
    message = f"error: {message}. See --help, and the config file for its settings"
    print(printable(message), file=sys.stderr)
    sys.exit(1)
