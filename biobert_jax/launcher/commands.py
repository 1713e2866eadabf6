"""The commands `biobert train`, `sweep` and `demo`: entry points that take flags, not options."""

import argparse
import sys
from collections.abc import Callable

from biobert_jax.tasks import registry

EXPERIMENTS = {entry.command: task for task, entry in registry.TASKS.items()}


def declare_train(parser: argparse.ArgumentParser) -> None:
    summaries = ", ".join(f"{e.command} ({e.summary})" for e in registry.TASKS.values())
    parser.add_argument("experiment", choices=list(EXPERIMENTS), help=summaries)
    _declare_flags(parser, "--config=ncbi_disease --workdir=runs/ncbi")


def train(args: argparse.Namespace) -> None:
    from biobert_jax.launcher.flags import launch

    _hand_over(args, f"train {args.experiment}", lambda: launch(EXPERIMENTS[args.experiment]))


def declare_sweep(parser: argparse.ArgumentParser) -> None:
    _declare_flags(parser, "--config=search --workdir=sweeps/search")


def sweep(args: argparse.Namespace) -> None:
    from biobert_jax.launcher.sweep import launch

    _hand_over(args, "sweep", launch)


def declare_demo(parser: argparse.ArgumentParser) -> None:
    _declare_flags(parser, "--workdir=runs/demo")


def demo(args: argparse.Namespace) -> None:
    from biobert_jax.launcher.demo import launch

    _hand_over(args, "demo", launch)


def _declare_flags(parser: argparse.ArgumentParser, example: str) -> None:
    parser.add_argument(
        "flags", nargs=argparse.REMAINDER, help=f"such as {example}; --help lists them"
    )


def _hand_over(args: argparse.Namespace, command: str, launch: Callable[[], None]) -> None:
    """Starts an entry point as if the flags were all that was given on the command line."""
    sys.modules["__main__"].__doc__ = f"biobert {command}"  # what --help begins with
    given = args.flags[1:] if args.flags[:1] == ["--"] else args.flags
    sys.argv = [f"{sys.argv[0]} {command}", *given]
    launch()
