"""The commands `biobert classify` and `biobert similarity`.

What a command needs is imported when it runs, so that --help answers at once.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from biobert_jax.file_kinds import JSON, TEXT
from biobert_jax.inference.commands import MODEL_HELP
from biobert_jax.inference.output import check_output, print_coloured, writing_text
from biobert_jax.inference.progress import with_progress

if TYPE_CHECKING:
    from biobert_jax.datasets.text_records import Record

_FORMS = (
    "a text per line, TSV with a header (text, perhaps second, id), or JSON lines with these names "
    "(labels and scores are not read); - (the default): standard input"
)


def declare_classify(parser: argparse.ArgumentParser) -> None:
    _declare(parser, f"a run of experiments.classification; {MODEL_HELP}")


def classify(args: argparse.Namespace) -> None:
    """Gives each text its label, or labels."""
    from biobert_jax.inference.formats import texts
    from biobert_jax.inference.model import load

    check_output(args.output, [args.input], args.model)
    model = load(args.model, dtype=args.dtype)
    several = model.text_classifier.several
    found = _applied(args, model.classify_records)
    _write(
        args,
        found,
        texts.labels_text,
        {
            "jsonl": lambda pairs: texts.labels_jsonl(pairs, several),
            "tsv": texts.labels_tsv,
        },
    )


def declare_similarity(parser: argparse.ArgumentParser) -> None:
    _declare(parser, f"a run of experiments.similarity; {MODEL_HELP}")


def similarity(args: argparse.Namespace) -> None:
    """Gives each pair of texts its score."""
    from biobert_jax.inference.formats import texts
    from biobert_jax.inference.model import load

    check_output(args.output, [args.input], args.model)
    model = load(args.model, dtype=args.dtype)
    found = _applied(args, model.compare_records)
    makers = {"jsonl": texts.scores_jsonl, "tsv": texts.scores_tsv}
    _write(args, found, texts.scores_text, makers)


def _declare(parser: argparse.ArgumentParser, model: str) -> None:
    parser.add_argument("--model", required=True, help=model)
    parser.add_argument("--input", default="-", metavar="FILE", help=_FORMS)
    parser.add_argument(
        "--format", choices=("text", "tsv", "jsonl"), help="default: text, or jsonl to a file"
    )
    parser.add_argument("--output", metavar="FILE", help="default: standard output")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")


def _applied(
    args: argparse.Namespace, apply: "Callable[[Sequence[Record]], Sequence[Any]]"
) -> "Iterator[tuple[Record, Any]]":
    """The texts of the input, each with what the model says of it."""
    from biobert_jax.datasets.text_records import parse_records
    from biobert_jax.inference.model import TEXTS_AT_ONCE
    from biobert_jax.inference.text_arguments import chunks
    from biobert_jax.inference.texts import name_of, read_all

    where = name_of(args.input)
    records = parse_records(read_all(args.input, TEXT, JSON), where)
    pairs = (
        pair
        for some in chunks(records, TEXTS_AT_ONCE)
        for pair in zip(some, apply(some), strict=True)
    )
    return iter(with_progress(pairs, "texts", where))


def _write(
    args: argparse.Namespace,
    found: "Iterator[tuple[Record, Any]]",
    as_text: Callable,
    makers: dict[str, Callable],
) -> None:
    kind = args.format or ("jsonl" if args.output or not sys.stdout.isatty() else "text")
    if kind == "text":
        print_coloured((as_text(*pair) for pair in found), args.output)
        return
    with writing_text(args.output) as file:
        file.writelines(makers[kind](found))
