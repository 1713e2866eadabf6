"""The command for sweeps: many runs of any experiment, in one workdir."""

import logging
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from absl import app, flags
from ml_collections import config_flags
from rich.console import Console
from rich.table import Table

from biobert_jax.configuration import files
from biobert_jax.errors import SettingError, report_errors
from biobert_jax.files import local_only, to_path
from biobert_jax.launcher.checks import check_settings
from biobert_jax.launcher.flags import parser
from biobert_jax.sweeps.execute import Sweep, run_sweep
from biobert_jax.sweeps.executors import Executor, Local, Ray
from biobert_jax.sweeps.plan import EVALUATE, SweepError, SweepRun, ordered, select
from biobert_jax.tasks import registry
from biobert_jax.training.checkpoint_index import split_name

EVALUATION_OPTIONS = ("model", "data", "split", "task", "map", "dtype")


def launch() -> NoReturn:
    """Reads the flags and runs, lists or prints a sweep."""
    config_flags.DEFINE_config_file("config", None, "The sweep, by name or path, e.g. search")
    flags.DEFINE_string("workdir", None, "Folder of the sweep; an existing one is resumed.")
    flags.DEFINE_enum("engine", "local", ["local", "ray"], "Where runs are computed.")
    flags.DEFINE_integer("workers", 1, "Runs at a time.", lower_bound=1)
    flags.DEFINE_float("cpus", 1, "CPUs that Ray reserves per run.", lower_bound=0)
    flags.DEFINE_float("gpus", 0, "GPUs that Ray reserves per run.", lower_bound=0)
    flags.DEFINE_string("shard", "0/1", "i/n: run every n-th run from the i-th (from 0) only.")
    flags.DEFINE_multi_string("only", [], "Run only what matches this shell pattern of names.")
    flags.DEFINE_bool("retry", False, "Run again what failed before.")
    flags.DEFINE_bool("dry_run", False, "List the runs and their states; run nothing.")
    flags.DEFINE_bool("print", False, "Print a shell command per run; run nothing.")
    app.run(_main, flags_parser=parser("sweeps"))


def _main(argv: list[str]) -> None:
    del argv
    values = flags.FLAGS
    form = "%(levelname).1s %(asctime)s  %(message)s"
    logging.basicConfig(format=form, datefmt="%H:%M:%S", stream=sys.stderr, force=True)
    logging.getLogger("biobert_jax").setLevel(logging.INFO)
    with report_errors():
        flag: Any = flags.FLAGS["config"]
        file = flag.config_filename
        runs = read_runs(Path(file.partition(":")[0]), values.config)
        sweep = Sweep(runs, local_only(values.workdir, "--workdir of a sweep"))
        chosen = select(runs, values.only)
        own = share(chosen, values.shard)
        if values.only and not (values.print or values.dry_run):
            check_needs(sweep, chosen)
        if values.engine == "local" and not values.print:  # otherwise other hosts open them
            check_paths(sweep, own)
        if values.print:
            for line in commands(sweep, own, file):
                print(line)
        elif values.dry_run:
            Console().print(states(sweep, own))
        else:
            executor: Executor = (
                Ray(values.workers, values.cpus, values.gpus)
                if values.engine == "ray"
                else Local(values.workers)
            )
            complete = run_sweep(sweep, own, command, executor, values.retry)
            Console().print(states(sweep, own))
            sys.exit(0 if complete else 1)


def read_runs(path: Path, config: Any) -> list[SweepRun]:
    """The runs that a sweep file gives for a config, in order, each checked.

    Raises:
      SweepError: the file has no `get_runs`; a run names no config file or no such setting.
    """
    module = files.load_module(path)
    if not hasattr(module, "get_runs"):
        raise SweepError(
            f"{path}: has no function get_runs(config); expected a sweep, as in configs/sweeps/"
        )
    try:
        runs = ordered(module.get_runs(config))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise SweepError(f"{path}: get_runs failed: {type(error).__name__}: {reason}") from error
    for run in runs:
        if run.config == EVALUATE:
            check_evaluation(run)
        else:
            config_of(run, run.settings)
    return runs


def check_evaluation(run: SweepRun) -> None:
    """Raises SweepError if the settings of an `EVALUATE` run are not those of the command."""
    options = run.settings.keys()
    if unknown := options - EVALUATION_OPTIONS:
        raise SweepError(
            f"sweep: {run.name} sets {', '.join(sorted(unknown))}; expected options of "
            f"biobert evaluate: {', '.join(EVALUATION_OPTIONS)}"
        )
    for name in ("model", "data"):
        if not run.settings.get(name):
            raise SweepError(f"sweep: {run.name} has no {name}; expected the path of one")
    for pair in _pairs(run.settings):
        if not isinstance(pair, str) or "=" not in pair:
            raise SweepError(
                f"sweep: {run.name} sets map to {pair!r}; expected DATA=MODEL, or a tuple of such"
            )


def _pairs(settings: Mapping[str, Any]) -> Sequence[Any]:
    """The `map` of an `EVALUATE` run: one pair, or several."""
    pairs = settings.get("map", ())
    return [pairs] if isinstance(pairs, str) else list(pairs)


def check_paths(sweep: Sweep, own: Sequence[SweepRun]) -> None:
    """Raises SweepError if a path that a run would open is missing, before any run is started.

    Paths in folders of other runs, addresses (`hf://`, `gs://`), and finished runs are left out.
    """
    for run in own:
        names = ("model", "data") if run.config == EVALUATE else ("init", "vocab", "dataset.path")
        paths = [(name, run.settings.get(name)) for name in names]
        corpora = run.settings.get("dataset.corpora", ())
        paths += [("dataset.corpora", folder) for folder, _ in corpora]
        for name, path in paths if sweep.state(run.name) != "done" else ():
            if not isinstance(path, str) or path in ("", "random") or "{" in path or "://" in path:
                continue
            given = to_path(split_name(path)[0] if name in ("model", "init") else path).expanduser()
            # A TensorFlow checkpoint is named by the prefix of its files.
            if not given.exists() and not given.with_name(given.name + ".index").exists():
                raise SweepError(f"sweep: {run.name} sets {name} to {path}: no such file or folder")


def config_of(run: SweepRun, settings: Mapping[str, Any]) -> Any:
    """The config of a run.

    Raises:
      SweepError: there is no such config file, or a setting is unknown or out of range.
    """
    try:
        config = files.load(config_file(run))
        config.lock()
        config.update_from_flattened_dict(dict(settings))
        check_settings(config)
    except (AttributeError, KeyError, TypeError, ValueError, SettingError) as error:
        reason = " ".join(str(error).split())
        raise SweepError(f"sweep: {run.name} ({run.config}): {reason}") from error
    return config


def config_file(run: SweepRun) -> str:
    """The config file of a run, with its variant."""
    try:
        return files.find(run.config)
    except SettingError as error:
        raise SweepError(f"sweep: {run.name}: {error}") from error


def command(run: SweepRun, settings: Mapping[str, Any], folder: Path) -> list[str]:
    """The command that computes a run."""
    if run.config == EVALUATE:
        options = [f"--{name}={value}" for name, value in settings.items() if name != "map"]
        options += [f"--map={pair}" for pair in _pairs(settings)]
        program = [sys.executable, "-m", "biobert_jax.cli", "evaluate"]
        return [*program, *options, f"--output={folder}"]
    task = config_of(run, settings).task
    return [
        *(sys.executable, "-m", "biobert_jax.cli", "train", registry.find(task).command),
        f"--config={config_file(run)}",
        f"--workdir={folder}",
        *(f"--config.{name}={value}" for name, value in settings.items()),
    ]


def commands(sweep: Sweep, own: Sequence[SweepRun], file: str) -> list[str]:
    """A shell command per run, in an order that keeps dependencies."""
    lines = []
    for run in own:
        if run.needs:
            lines.append(f"# after {', '.join(run.needs)}")
        if run.choose:  # its settings are known only then
            again = [sys.executable, "-m", "biobert_jax.cli", "sweep", f"--config={file}"]
            again += [a for a in sys.argv[1:] if a.startswith("--config.")]
            lines.append(shlex.join([*again, f"--workdir={sweep.workdir}", f"--only={run.name}"]))
        else:
            lines.append(shlex.join(command(run, sweep.settings(run), sweep.folder(run.name))))
    return lines


def check_needs(sweep: Sweep, own: Sequence[SweepRun]) -> None:
    """Raises SweepError if a selected run needs one that is neither selected nor done."""
    names = {run.name for run in own}
    for run in own:
        for name in run.needs:
            if name not in names and sweep.state(name) != "done":
                raise SweepError(
                    f"--only: {run.name} needs {name}, which is {sweep.state(name)}; run it first, "
                    "or name it in --only, too"
                )


def states(sweep: Sweep, own: Sequence[SweepRun]) -> Table:
    """A table of runs and what is known of them."""
    table = Table("run", "state", "seconds", "needs, or why it failed")
    table.columns[0].overflow = "fold"
    for run in own:
        record = sweep.records[run.name]
        taken = f"{record.seconds:.0f}" if record.seconds else ""
        more = f" and {len(run.needs) - 1} more" if len(run.needs) > 1 else ""
        about = record.error or (run.needs[0] + more if run.needs else "")
        table.add_row(run.name, record.state, taken, about)
    return table


def share(runs: Sequence[SweepRun], shard: str) -> list[SweepRun]:
    """The runs of a shard `i/n`.

    Raises:
      SweepError: not of that form.
    """
    number, _, count = shard.partition("/")
    if not (number.isdigit() and count.isdigit() and int(number) < int(count)):
        raise SweepError(f"--shard={shard}: expected i/n with 0 <= i < n, such as 0/4")
    return [run for index, run in enumerate(runs) if index % int(count) == int(number)]
