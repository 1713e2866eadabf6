"""The entry points' flags. Heavy imports wait until they are read: --help answers at once."""

import difflib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from absl import app, flags
from ml_collections import config_flags

from biobert_jax.arguments import expand_home
from biobert_jax.configuration import files
from biobert_jax.errors import SettingError, TrainingError, printable, report_errors
from biobert_jax.files import to_path
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
        flags.DEFINE_integer("slices", 1, "How many of it, for --compile_only.", lower_bound=1)
        flags.DEFINE_string("json", None, "Writes what --compile_only finds to this file, too.")

    flags.DEFINE_bool("dry_run", False, "Everything but the first step; leaves no file.")
    flags.DEFINE_float(
        "positions_per_second", 0.0, "Of all devices, for the time that --dry_run tells.", 0.0
    )
    flags.DEFINE_float("price_per_hour", 0.0, "Of all devices, for --dry_run.", lower_bound=0.0)

    def program(config: Any, workdir: Path) -> None:
        if _only_compiles():
            given = flags.FLAGS
            output = to_path(given.json) if given.json else None
            only = registry.resolve(entry.compile_only)
            only(config, given.topology, given.slices, output)
            return
        if flags.FLAGS.dry_run:
            from biobert_jax.launcher import dry_run

            given = flags.FLAGS
            dry_run.run(config, workdir, given.positions_per_second, given.price_per_hour)
            return
        from biobert_jax.launcher import train

        train.run(config, workdir)

    def check(config: Any) -> None:
        check_task(config, task)
        check_settings(config)

    launch_program(program, check, entry.command)


def check_task(config: Any, task: str) -> None:
    """Raises TrainingError where a config is not of this task."""
    found = config.get("task")
    if found != task:
        instead = registry.find(found).command  # or an error that says which tasks there are
        raise TrainingError(
            f"config.task is {found!r}, and this command is for {task!r}. Give a config of "
            f"configs/{registry.find(task).command}/, or use experiments.{instead} (biobert train "
            f"{instead})"
        )


def launch_program(
    program: Program, check: Callable[[Any], None] | None = None, folder: str = ""
) -> NoReturn:
    """Reads the flags and runs a program; expected failures end it with one message.

    Args:
      program: the work.
      check: raises UserError for a config that it cannot work with, before anything starts.
      folder: of its configs, in which --config=NAME is looked for.
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
            program(values.config, values.workdir and to_path(values.workdir))

    app.run(main, flags_parser=parser(folder))


def define() -> None:
    """Declares the flags that all entry points have."""
    config_flags.DEFINE_config_file(
        "config",
        None,
        "A config by name or path, e.g. s800 or configs/ner/s800.py; :VARIANT may follow. "
        "--config.NAME=VALUE changes a setting.",
    )
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


def _only_compiles() -> bool:
    return bool(flags.FLAGS.flag_values_dict().get("compile_only"))


def parser(folder: str = "") -> Callable[[list[str]], list[str]]:
    """A parser for `app.run` that answers mistakes with one line.

    Args:
      folder: of the command's configs, in which --config=NAME is looked for.
    """

    def parse(argv: list[str]) -> list[str]:
        values = flags.FLAGS
        for name in values:  # --help lists the flags of the main module only
            module = str(values.find_module_defining_flag(name))
            if module.startswith("biobert_jax.launcher"):
                values.register_key_flag_for_module(sys.argv[0], values[name])
        try:
            argv, file = _with_file(argv, folder)
            if file and not any(flag.startswith("--help") for flag in argv):
                _check_names(argv, file)
            arguments = values(argv)
            if len(arguments) > 1:
                raise SettingError(f"{arguments[1]!r} is no flag; flags begin with --")
            if not file:
                raise SettingError(
                    "--config is missing; expected a file or one of "
                    + ", ".join(files.names(folder))
                )
            values.config.lock()
            values.config.update(expand_home(values.config.to_dict()))
            values.workdir = expand_home(values.workdir)
            if not values.workdir and not _only_compiles():
                raise SettingError("--workdir is missing; expected the folder of the run")
            return arguments
        except flags.UnrecognizedFlagError as error:
            name = error.flagname.removeprefix("no")
            message = f"there is no flag --{error.flagname}{_suggestion(name, list(values))}"
        except (flags.Error, SettingError, OSError) as error:
            lines = str(error).strip().splitlines()
            message = lines[-1].strip() if lines else type(error).__name__
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            given = ", ".join(flag for flag in argv if flag.startswith("--config."))
            message = f"{' '.join(str(error).split())}: not of this setting's type, in {given}"
        print(printable(f"error: {message}. See --help"), file=sys.stderr)
        sys.exit(1)

    return parse


def _with_file(argv: Sequence[str], folder: str) -> tuple[list[str], str]:
    """The arguments with --config resolved to a file, and that file; empty if none is given."""
    out, file = list(argv), ""
    for index, argument in enumerate(out):
        name, equals, value = argument.partition("=")
        if name not in ("--config", "-config"):
            continue
        if equals:
            file = files.find(value, folder)
            out[index] = f"--config={file}"
        elif index + 1 < len(out):
            file = files.find(out[index + 1], folder)
            out[index + 1] = file
    return out, file


def _check_names(argv: Sequence[str], file: str) -> None:
    """Raises SettingError for a --config.NAME that the config does not have."""
    known = files.any_setting(files.load(file))
    for argument in argv:
        name = argument.partition("=")[0].lstrip("-")
        if not argument.startswith("-") or not name.startswith("config."):
            continue
        setting = name.removeprefix("config.")
        if setting not in known and "[" not in setting:
            near = _suggestion(setting, list(known))
            raise SettingError(f"--{name}: no such setting in {file}{near}")


def _suggestion(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
