"""The console script `biobert`: everything that is not an experiment.

A command is a function that declares its arguments and one that runs it; what it needs is imported
when it runs, so that --help answers at once. `COMMANDS` lists them.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from biobert_jax.corpora import commands as corpora
from biobert_jax.errors import told_to_user
from biobert_jax.inference import commands as inference


class Command(NamedTuple):
    """A command of the console script.

    Attributes:
      name: what is typed; of two words, the first groups ("corpus build").
      help: one line.
      declare: adds its arguments to a parser.
      run: does the work.
    """

    name: str
    help: str
    declare: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command; `arguments` are those of the process by default."""
    args = make_parser().parse_args(arguments)
    logging.basicConfig(format="%(levelname).1s %(message)s", stream=sys.stderr)
    logging.getLogger("biobert_jax").setLevel(logging.INFO)
    with told_to_user():
        args.run(args)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="biobert",
        description="BioBERT's tools; experiments are run as python -m experiments.…",
    )
    groups = {"": parser.add_subparsers(required=True, metavar="COMMAND")}
    for command in COMMANDS:
        group, _, name = command.name.rpartition(" ")
        if group not in groups:
            of_group = groups[""].add_parser(group, help=f"biobert {group} --help lists them")
            groups[group] = of_group.add_subparsers(required=True, metavar="COMMAND")
        its = groups[group].add_parser(name, help=command.help, description=command.help)
        command.declare(its)
        its.set_defaults(run=command.run)
    return parser


def declare_convert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--from", dest="source", required=True, metavar="PATH", help=inference.MODEL_HELP
    )
    parser.add_argument("--to", required=True, metavar="DIR", help="a new folder")
    parser.add_argument("--format", choices=("huggingface", "workdir"), default="huggingface")
    parser.add_argument(
        "--vocab",
        metavar="FILE",
        help="another vocab.txt: pieces that both have keep their embeddings, new ones get the "
        "mean of their old pieces'",
    )


def convert(args: argparse.Namespace) -> None:
    from biobert_jax.interop.huggingface import write_huggingface
    from biobert_jax.interop.workdir import write_workdir

    checkpoint = inference.load(args.source)
    if args.vocab:
        from biobert_jax.interop.vocabulary_transfer import change_vocabulary
        from biobert_jax.text.wordpiece import load_vocabulary

        checkpoint = change_vocabulary(checkpoint, list(load_vocabulary(args.vocab)))
    if args.format == "workdir":
        write_workdir(Path(args.to), checkpoint)
    else:
        write_huggingface(
            args.to,
            checkpoint.config,
            checkpoint.params,
            checkpoint.vocabulary,
            checkpoint.lowercase,
            checkpoint.labels,
        )
    logging.getLogger("biobert_jax").info(
        "%s: %s, from %s", args.to, ", ".join(checkpoint.params), checkpoint.source
    )


# A line for each command.
COMMANDS = (
    Command(
        "annotate", "marks the entities of texts", inference.declare_annotate, inference.annotate
    ),
    Command(
        "answer", "answers questions from passages", inference.declare_answer, inference.answer
    ),
    Command(
        "relations", "classifies marked pairs", inference.declare_relations, inference.relations
    ),
    Command("embed", "writes vectors of texts", inference.declare_embed, inference.embed),
    Command("convert", "writes a model in another form", declare_convert, convert),
    Command("corpus build", "makes shards of documents", corpora.declare_build, corpora.build),
    Command("corpus stats", "counts beside the paper's", corpora.declare_stats, corpora.stats),
    Command(
        "corpus decontaminate",
        "finds documents that benchmarks test on",
        corpora.declare_decontaminate,
        corpora.decontaminate,
    ),
    Command(
        "vocab train",
        "makes a vocabulary of a corpus",
        corpora.declare_train_vocabulary,
        corpora.train_vocabulary,
    ),
)


if __name__ == "__main__":
    main()
