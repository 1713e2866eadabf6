"""The console script `biobert`: everything that is not an experiment.

A command is a function that declares its arguments and one that runs it; what it needs is imported
when it runs, so that --help answers at once. `COMMANDS` lists them.
"""

import argparse
import contextlib
import itertools
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from biobert_jax.corpora import commands as corpora
from biobert_jax.errors import CheckpointError, told_to_user

if TYPE_CHECKING:
    from biobert_jax.interop.checkpoint import Checkpoint

TEXTS_AT_ONCE = 256
FORMATS = ("terminal", "jsonl", "conll", "brat", "pubtator", "bioc", "bioc-json", "html")
MODEL_HELP = (
    "a workdir of experiments.ner, a Hugging Face folder, hf://owner/name, or the prefix of a "
    "TensorFlow checkpoint"
)


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


def declare_annotate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help=f"a token classifier: {MODEL_HELP}")
    parser.add_argument(
        "--input",
        default="-",
        metavar="FILE",
        help="a text a line; .jsonl: objects with `text` and `id`; - (the default): standard input",
    )
    parser.add_argument("--format", choices=FORMATS, help="default: terminal, or jsonl to a file")
    parser.add_argument("--output", metavar="FILE", help="default: standard output")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="FILE is one text, line breaks and all (brat always takes it so)",
    )
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")


def annotate(args: argparse.Namespace) -> None:
    from biobert_jax.inference.annotate import annotate, load_annotator
    from biobert_jax.inference.formats import FORMATS, AnnotatedText
    from biobert_jax.inference.texts import read_texts
    from biobert_jax.interop.workdir import read_workdir

    kind = args.format or ("jsonl" if args.output or not sys.stdout.isatty() else "terminal")
    annotator = load_annotator(args.model, read_workdir, args.dtype)

    def documents() -> Iterator[AnnotatedText]:
        for texts in _chunks(read_texts(args.input, args.whole or kind == "brat")):
            found = annotate(annotator, [text.text for text in texts])
            for (name, text), entities in zip(texts, found, strict=True):
                yield AnnotatedText(name, text, entities)

    if kind == "terminal":
        from rich.console import Console

        from biobert_jax.inference.display import terminal_text

        with _writing(args.output) as file:
            console = Console(file=file, highlight=False)
            for document in documents():
                console.print(terminal_text(document.text, document.entities, annotator.types))
        return
    with _writing(args.output) as file:
        file.writelines(FORMATS[kind](documents()))


def declare_embed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help=f"any encoder: {MODEL_HELP}")
    parser.add_argument("--input", required=True, metavar="FILE", help="as for annotate")
    parser.add_argument("--output", required=True, metavar="NPZ")
    parser.add_argument(
        "--pooling",
        choices=("none", "cls", "mean"),
        default="mean",
        help="a vector a text: that of [CLS], or the mean over its pieces (the default); or none: "
        "one a piece, with `starts` of each text and `offsets` of each piece beside `embeddings`",
    )
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")


def embed(args: argparse.Namespace) -> None:
    import numpy as np

    from biobert_jax.inference.embed import embed
    from biobert_jax.inference.texts import read_texts

    texts = list(read_texts(args.input))
    found = embed(_load(args.model), [text.text for text in texts], args.pooling, args.dtype)
    arrays = {"embeddings": found.vectors, "ids": np.array([text.id for text in texts], np.str_)}
    if args.pooling == "none":
        arrays |= {"starts": found.starts, "offsets": found.offsets}
    with _written_whole(args.output) as path, path.open("wb") as file:
        np.savez(file, **arrays)
    logging.getLogger("biobert_jax").info(
        "%s: %d vectors of %d texts", args.output, len(found.vectors), len(texts)
    )


def declare_convert(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="source", required=True, metavar="PATH", help=MODEL_HELP)
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

    checkpoint = _load(args.source)
    if args.vocab:
        from biobert_jax.interop.vocabulary import change_vocabulary
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
    Command("annotate", "marks the entities of texts", declare_annotate, annotate),
    Command("embed", "writes vectors of texts", declare_embed, embed),
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


def _load(source: str) -> "Checkpoint":
    from biobert_jax.interop.load import load_checkpoint
    from biobert_jax.interop.workdir import read_workdir

    checkpoint = load_checkpoint(source, read_workdir)
    if checkpoint is None:
        raise CheckpointError(f"{source}: names no trained model; give a workdir or a folder")
    return checkpoint


def _chunks(texts: Iterable) -> Iterator[list]:
    texts = iter(texts)
    while chunk := list(itertools.islice(texts, TEXTS_AT_ONCE)):
        yield chunk


@contextlib.contextmanager
def _writing(path: str | None) -> Iterator[TextIO]:
    """Gives a text file for the output, standard output by default."""
    if path is None:
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        yield sys.stdout
        sys.stdout.flush()
        return
    with (
        _written_whole(path) as partial,
        partial.open("w", encoding="utf-8", newline="\n") as file,
    ):
        yield file


@contextlib.contextmanager
def _written_whole(path: str) -> Iterator[Path]:
    """Gives a name to write to, which becomes `path` only when all went well."""
    final = Path(path)
    partial = final.with_name(f".{final.name}.partial")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        partial.replace(final)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        partial.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
