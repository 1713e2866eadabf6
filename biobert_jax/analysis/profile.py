"""Where the time of a training step goes: the costliest operations, under the model's names."""

import argparse
import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from biobert_jax.errors import DataError
from biobert_jax.files import local, read_text

_INSTRUCTION = re.compile(r"%?([\w.\-]+) = .*?metadata=\{.*?op_name=\"([^\"]*)\"")
_MODULES = ("embeddings", "word_embeddings", "attention", "mlp", "qkv", "intermediate", "output")
_MODULES += ("layer_norm", "classifier", "pooler", "transform", "decoder", "span")


def declare(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `biobert profile`."""
    parser.add_argument(
        "workdir", type=Path, metavar="RUN", help="a run with --config.profile.steps"
    )
    parser.add_argument("--top", type=int, default=15, help="rows")


def run(args: argparse.Namespace) -> None:
    """Prints where the time of a run's traced steps went.

    Raises:
      DataError: the run has no trace, or one that cannot be read.
    """
    from rich.console import Console
    from rich.table import Table

    from biobert_jax.training.profiling import FOLDER

    spent = time_of_parts(args.workdir / FOLDER)
    total = sum(spent.values())
    table = Table("part of the step", "ms per step", "share")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, seconds in sorted(spent.items(), key=lambda item: -item[1])[: args.top]:
        table.add_row(name, f"{1000 * seconds:.2f}", f"{seconds / total:.1%}")
    products = sum(seconds for name, seconds in spent.items() if name.endswith("product"))
    console = Console()
    console.print(table)
    console.print(
        f"all operations: {1000 * total:.1f} ms per step; matrix products: {products / total:.0%}. "
        "Operations on several cores or devices count once per each"
    )


def time_of_parts(folder: Path) -> dict[str, float]:
    """Seconds per step by part of the model, summed over the lines of the newest trace.

    Raises:
      DataError: there is no trace, or it names no operation of the program.
    """
    import jax

    from biobert_jax.training.profiling import PROGRAM

    folder = local(folder)
    files = sorted(folder.rglob("*.xplane.pb"), key=lambda path: path.stat().st_mtime)
    if not files or not (folder / PROGRAM).is_file():
        raise DataError(
            f"{folder}: no trace; expected one of a run with --config.profile.start=10 "
            "--config.profile.steps=5"
        )
    names = origins(read_text(folder / PROGRAM, limit=2**30))
    try:
        profile = jax.profiler.ProfileData.from_file(str(files[-1]))
    except Exception as error:
        line = (str(error).strip().splitlines() or [""])[0]
        raise DataError(f"{files[-1]}: not a trace that can be read ({line})") from error
    spent: dict[str, float] = defaultdict(float)
    steps = set()
    for plane in profile.planes:
        for line in plane.lines:
            for event in line.events:
                if event.name in names:
                    spent[names[event.name]] += event.duration_ns / 1e9
                elif event.name == "train":
                    steps |= {value for key, value in event.stats if key == "step_num"}
    if not spent:
        raise DataError(f"{files[-1]}: names no operation of {PROGRAM}; trace a run again")
    return {name: seconds / max(1, len(steps)) for name, seconds in spent.items()}


def origins(text: str) -> Mapping[str, str]:
    """From instructions of a compiled program to the part of the model that they are of."""
    return {name: part(path) for name, path in _INSTRUCTION.findall(text)}


def part(path: str) -> str:
    """The direction, the module and the kind of an operation, from its path in the program.

    `jit(step)/transpose(jvp(M))/encoder/mlp/output/dot_general` is `backward mlp output product`.
    """
    direction = "backward" if "transpose" in path else "forward" if "jvp" in path else "update"
    pieces = path.split("/")
    names = dict.fromkeys(piece for piece in pieces if piece in _MODULES)
    kind = "product" if pieces[-1].startswith("dot_general") else pieces[-1].split("[")[0]
    return " ".join([direction, *(names or ["outside modules"]), kind])
