"""The commands of the console script that apply a model.

What a command needs is imported when it runs, so that --help answers at once.
"""

import argparse
import contextlib
import itertools
import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from biobert_jax.errors import CheckpointError, UserError

if TYPE_CHECKING:
    from rich.text import Text

    from biobert_jax.interop.checkpoint import Checkpoint

TEXTS_AT_ONCE = 256
QUESTIONS_AT_ONCE = 32
FORMATS = ("terminal", "jsonl", "conll", "brat", "pubtator", "bioc", "bioc-json", "html")
MODEL_HELP = (
    "a workdir of ours, a Hugging Face folder, hf://owner/name, or the prefix of a TensorFlow "
    "checkpoint"
)


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
    from biobert_jax.inference.annotate import annotate, make_annotator
    from biobert_jax.inference.display import terminal_text
    from biobert_jax.inference.formats import FORMATS, AnnotatedText
    from biobert_jax.inference.texts import read_texts

    kind = args.format or _format(args, "terminal")
    annotator = make_annotator(load(args.model), args.dtype)

    def documents() -> Iterator[AnnotatedText]:
        for texts in _chunks(read_texts(args.input, args.whole or kind == "brat"), TEXTS_AT_ONCE):
            found = annotate(annotator, [text.text for text in texts])
            for (name, text), entities in zip(texts, found, strict=True):
                yield AnnotatedText(name, text, entities)

    if kind == "terminal":
        _print(
            (terminal_text(d.text, d.entities, annotator.types) for d in documents()), args.output
        )
        return
    with _writing(args.output) as file:
        file.writelines(FORMATS[kind](documents()))


def declare_answer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help=f"a run of experiments.qa; {MODEL_HELP}")
    parser.add_argument("--question", metavar="TEXT", help="one question, for all passages")
    parser.add_argument(
        "--input",
        default="-",
        metavar="FILE",
        help="with --question: a passage a line, or .jsonl with `text`. Without: .json of BioASQ "
        "or SQuAD's form, or JSON lines with `question` and `contexts`; -: standard input",
    )
    parser.add_argument("--top", type=_count, metavar="N", help="at most so many answers")
    parser.add_argument(
        "--format",
        choices=("text", "jsonl", "bioasq"),
        help="bioasq: the file that its participants submit. Default: text, or jsonl to a file",
    )
    parser.add_argument("--output", metavar="FILE", help="default: standard output")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")


def answer(args: argparse.Namespace) -> None:
    from biobert_jax.datasets.bioasq import write_submission
    from biobert_jax.inference.answer import answer, make_answerer
    from biobert_jax.inference.display import answers_text
    from biobert_jax.inference.questions import read_questions
    from biobert_jax.inference.records import write_answers

    kind = args.format or _format(args, "text")
    if kind == "bioasq" and not args.output:
        raise UserError("--format bioasq writes one file; expected --output FILE with its name")
    answerer = make_answerer(load(args.model), args.dtype)

    def answered() -> Iterator[tuple]:
        others = 0
        for asked in _chunks(read_questions(args.input, args.question), QUESTIONS_AT_ONCE):
            own = [question for question in asked if question.type in ("", answerer.type)]
            others += len(asked) - len(own)
            yield from zip(own, answer(answerer, own, args.top), strict=True)
        if others:
            logging.getLogger("biobert_jax").warning(
                "%d questions of other types left out: the model answers %s questions",
                others,
                answerer.type,
            )

    if kind == "bioasq":
        texts = {asked.id: [found.text for found in answers] for asked, answers in answered()}
        if answerer.type == "yesno":
            # As in experiments.qa: a question without any snippet is answered as most are.
            texts = {id_: (said or ["yes"])[0] for id_, said in texts.items()}
        with _written_whole(args.output) as path:
            write_submission(path, answerer.type, texts)
    elif kind == "text":
        _print((answers_text(*pair) for pair in answered()), args.output)
    else:
        with _writing(args.output) as file:
            file.writelines(write_answers(answered()))


def declare_relations(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", required=True, help=f"a run of experiments.relation; {MODEL_HELP}"
    )
    parser.add_argument(
        "--input",
        default="-",
        metavar="FILE",
        help="the forms that training reads, labels left out or not: a marked sentence a line, "
        "TSV with a header, or JSON lines with offsets; - (the default): standard input",
    )
    parser.add_argument(
        "--format", choices=("text", "tsv", "jsonl"), help="default: text, or jsonl to a file"
    )
    parser.add_argument("--output", metavar="FILE", help="default: standard output")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")


def relations(args: argparse.Namespace) -> None:
    from biobert_jax.datasets.relation_files import parse_relations
    from biobert_jax.inference.display import relation_text
    from biobert_jax.inference.records import write_relations_jsonl, write_relations_tsv
    from biobert_jax.inference.relations import classify, make_classifier
    from biobert_jax.inference.texts import name_of, read_lines

    kind = args.format or _format(args, "text")
    classifier = make_classifier(load(args.model), args.dtype)
    text = "".join(line for _, line in read_lines(args.input))
    sentences = parse_relations(text, name_of(args.input), classifier.marking, labelled=False)
    unmarked = sum(not sentence.marks for sentence in sentences)
    if unmarked:
        logging.getLogger("biobert_jax").warning(
            "%d of %d sentences have no mark that is known, such as @GENE$ (the first: %s)",
            unmarked,
            len(sentences),
            next(sentence.where for sentence in sentences if not sentence.marks),
        )
    classified = (
        pair
        for some in _chunks(sentences, TEXTS_AT_ONCE)
        for pair in zip(some, classify(classifier, some), strict=True)
    )
    if kind == "text":
        _print((relation_text(*pair) for pair in classified), args.output)
        return
    write = write_relations_tsv if kind == "tsv" else write_relations_jsonl
    with _writing(args.output) as file:
        file.writelines(write(classified))


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
    found = embed(load(args.model), [text.text for text in texts], args.pooling, args.dtype)
    arrays = {"embeddings": found.vectors, "ids": np.array([text.id for text in texts], np.str_)}
    if args.pooling == "none":
        arrays |= {"starts": found.starts, "offsets": found.offsets}
    with _written_whole(args.output) as path, path.open("wb") as file:
        np.savez(file, **arrays)
    logging.getLogger("biobert_jax").info(
        "%s: %d vectors of %d texts", args.output, len(found.vectors), len(texts)
    )


def load(source: str) -> "Checkpoint":
    from biobert_jax.interop.load import load_checkpoint
    from biobert_jax.interop.workdir import read_workdir

    checkpoint = load_checkpoint(source, read_workdir)
    if checkpoint is None:
        raise CheckpointError(f"{source}: names no trained model; give a workdir or a folder")
    return checkpoint


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1")
    return int(text)


def _chunks(items: Iterable, size: int) -> Iterator[list]:
    items = iter(items)
    while chunk := list(itertools.islice(items, size)):
        yield chunk


def _format(args: argparse.Namespace, to_look_at: str) -> str:
    return "jsonl" if args.output or not sys.stdout.isatty() else to_look_at


def _print(texts: Iterable["Text"], path: str | None) -> None:
    """Writes coloured text; without colours where it goes to a file."""
    from rich.console import Console

    with _writing(path) as file:
        console = Console(file=file, highlight=False)
        for text in texts:
            console.print(text, soft_wrap=path is not None)


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
