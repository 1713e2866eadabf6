"""The command `biobert convert`."""

import argparse
import logging
from typing import TYPE_CHECKING

from biobert_jax.errors import UserError
from biobert_jax.files import local, to_path
from biobert_jax.inference.commands import MODEL_HELP
from biobert_jax.inference.output import check_output

if TYPE_CHECKING:
    from biobert_jax.interop.checkpoint import Checkpoint


def declare_convert(parser: argparse.ArgumentParser) -> None:
    declare_source(parser)
    parser.add_argument("--to", required=True, metavar="DIR", help="a new folder")
    parser.add_argument("--format", choices=("huggingface", "workdir"), default="huggingface")
    parser.add_argument(
        "--vocab",
        metavar="FILE",
        help="another vocab.txt: pieces that both have keep their embeddings, new ones get the "
        "mean of their old pieces'",
    )


def declare_source(parser: argparse.ArgumentParser) -> None:
    """Adds what names the model that is written in another form."""
    parser.add_argument("--from", dest="source", required=True, metavar="PATH", help=MODEL_HELP)
    parser.add_argument(
        "--head",
        choices=("ner", "classification"),
        help="what the output_weights of a fine-tuned TensorFlow checkpoint are, which it does "
        "not say; without this they are left out",
    )
    parser.add_argument(
        "--labels",
        metavar="A,B,...",
        help="with --head: the names of its outputs in the order of training. For DMIS's NER "
        "models B-Disease,I-Disease,O will do (default: B,I,O)",
    )


def read_source(args: argparse.Namespace) -> "Checkpoint":
    """Reads the model that `declare_source`'s arguments name."""
    from biobert_jax.inference.model import read_model

    labels = args.labels.split(",") if args.labels else None
    if labels and not args.head:
        raise UserError(f"--labels {args.labels}: expected --head, too, to say of which head")
    return read_model(args.source, args.head, labels)


FIRST_PIECES = (
    "only the first piece of each word was trained: take its label for the word. In transformers "
    'that is pipeline("token-classification", ..., aggregation_strategy="first"); "simple" gives '
    "pieces of words"
)


def convert(args: argparse.Namespace) -> "Checkpoint":
    """Writes the model in another form, compares what was written, and returns the model."""
    from biobert_jax.inference.model import read_model
    from biobert_jax.inference.parity import check_with_transformers, check_written
    from biobert_jax.interop.huggingface import write_huggingface
    from biobert_jax.interop.workdir import write_workdir

    check_output(args.to, [args.source], args.source, folder=True)
    checkpoint = read_source(args)
    if args.vocab:
        from biobert_jax.interop.vocabulary_transfer import change_vocabulary
        from biobert_jax.text.wordpiece import load_vocabulary

        checkpoint = change_vocabulary(checkpoint, list(load_vocabulary(args.vocab)))
    if args.format == "workdir":
        write_workdir(to_path(args.to), checkpoint)
    else:
        write_huggingface(
            args.to,
            checkpoint.config,
            checkpoint.params,
            checkpoint.vocabulary,
            checkpoint.lowercase,
            checkpoint.labels,
            checkpoint.card,
        )
    check_written(checkpoint, read_model(args.to), args.to)
    if args.format == "huggingface":
        check_with_transformers(checkpoint, local(args.to))
        if {"classifier", "pooler"} & checkpoint.params.keys() == {"classifier"}:
            logging.getLogger("biobert_jax").info("%s", FIRST_PIECES)
    logging.getLogger("biobert_jax").info(
        "%s: %s, from %s", args.to, ", ".join(checkpoint.params), checkpoint.source
    )
    return checkpoint
