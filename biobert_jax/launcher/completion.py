"""The command `biobert completion`: what a shell needs to complete commands, options and files."""

import argparse
import importlib.util

from biobert_jax.errors import UserError

SHELLS = ("bash", "zsh")
_FILES = ("FILE", "NPZ", "GLOB", "PATH", "RUN")
_FOLDERS = ("DIR",)


def declare_completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "shell",
        choices=SHELLS,
        help="bash: biobert completion bash > ~/.local/share/bash-completion/completions/biobert; "
        "zsh: write it as _biobert into a folder of $fpath",
    )


def completion(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Prints the script for a shell.

    Args:
      args: with `shell`.
      parser: of the whole program.

    Raises:
      UserError: shtab is not installed.
    """
    if importlib.util.find_spec("shtab") is None:
        raise UserError("completion needs the package shtab: pip install shtab")
    import shtab

    _complete_files(parser, shtab.FILE, shtab.DIRECTORY)
    print(shtab.complete(parser, shell=args.shell))


def _complete_files(parser: argparse.ArgumentParser, files: dict, folders: dict) -> None:
    """Marks the arguments that name files or folders, by the word that stands for them."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for its in action.choices.values():
                _complete_files(its, files, folders)
        words = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        word = words.rpartition("=")[2].rstrip("|-. ")
        if word in _FOLDERS or action.dest in ("workdir", "output_folder"):
            action.complete = folders  # pyright: ignore[reportAttributeAccessIssue]
        elif word in _FILES or action.dest in ("model", "input", "output"):
            action.complete = files  # pyright: ignore[reportAttributeAccessIssue]
