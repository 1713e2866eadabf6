"""The commands of the console script that apply a model.

What a command needs is imported when it runs, so that --help answers at once.
"""

import argparse
import itertools
import logging
import sys
from collections.abc import Iterator
from typing import TypeVar

from biobert_jax.arguments import whole_number
from biobert_jax.errors import UserError
from biobert_jax.file_kinds import JSON, TEXT
from biobert_jax.files import atomic_writing, new_folder, to_path
from biobert_jax.inference.output import (
    check_output,
    only_one,
    print_coloured,
    text_beside,
    write_exactly,
    writing_text,
)
from biobert_jax.inference.progress import with_progress
from biobert_jax.inference.texts import STANDARD_INPUT

T = TypeVar("T")

INPUT_FORMATS = ("text", "jsonl", "pubmed", "pmc", "pubtator", "bioc", "bioc-json", "brat")
FORMATS = ("terminal", "jsonl", "conll", "brat", "pubtator", "bioc", "bioc-json", "html")
MODEL_HELP = (
    "a workdir, a Hugging Face folder, hf://owner/name, or the prefix of a TensorFlow checkpoint"
)


def declare_annotate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        action="append",
        required=True,
        metavar="[NAME=]PATH",
        help=f"a token classifier: {MODEL_HELP}. Give several with names, as disease=runs/ncbi",
    )
    parser.add_argument(
        "--type",
        default="",
        help="what a model of bare B and I labels finds, such as Disease (default: its NAME)",
    )
    parser.add_argument(
        "--overlaps",
        choices=("longest", "keep"),
        default="longest",
        help="of several models' entities that overlap, the longest, then the most probable, then "
        "the first model's stays (the default); or all are kept",
    )
    parser.add_argument(
        "--relations",
        metavar="[NAME=]PATH",
        help="a run of experiments.relation, for the pairs of entities that are found",
    )
    parser.add_argument(
        "--input",
        default="-",
        metavar="FILE",
        help="one text per line; JSON lines: objects with `text`, perhaps `id` and `title` (title, "
        "blank line and text are one text then); XML of PubMed or PMC; PubTator; BioC; a folder of "
        "brat; - (the default): standard input",
    )
    parser.add_argument(
        "--input-format",
        choices=INPUT_FORMATS,
        help="refuses what looks like another form; default: what it looks like",
    )
    parser.add_argument("--format", choices=FORMATS, help="default: terminal, or jsonl to a file")
    parser.add_argument(
        "--output",
        metavar="FILE",
        help="default: standard output. For brat NAME.ann, of one text, or a new folder. With "
        "--shards a folder",
    )
    parser.add_argument(
        "--whole",
        action="store_true",
        help="FILE is one text, line breaks and all (brat always takes it so)",
    )
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument(
        "--shards",
        type=whole_number(1),
        metavar="N",
        help="write N files into the folder --output; the same command resumes after a stop",
    )
    parser.add_argument(
        "--workers",
        type=whole_number(1),
        default=1,
        metavar="N",
        help="with --shards: processes, each with the models (default: %(default)s)",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="with --shards: where they run; ray: on the cluster of RAY_ADDRESS",
    )


def annotate(args: argparse.Namespace) -> None:
    from biobert_jax.inference.formats.brat import write_brat_folder
    from biobert_jax.inference.formats.registry import FORMATS
    from biobert_jax.inference.formats.terminal import terminal_text
    from biobert_jax.inference.inputs import read_documents
    from biobert_jax.inference.several import load_annotators, split_name
    from biobert_jax.inference.texts import name_of

    if args.shards:
        _annotate_sharded(args)
        return
    if args.workers > 1 or args.engine != "local":
        raise UserError("--workers and --engine are for --shards; expected that, too")
    kind = args.format or _format(args, "terminal")
    to_folder = kind == "brat" and args.output is not None and not args.output.endswith(".ann")
    for model in (*args.model, *([args.relations] if args.relations else [])):
        check_output(args.output, [args.input], split_name(model)[1], to_folder)
    texts = read_documents(args.input, args.input_format, args.whole or _is_one_text(args, kind))
    if kind == "brat" and not to_folder:
        text = only_one(texts, name_of(args.input))
        texts = iter(text)
        beside = text_beside(args.output, text)
    else:
        texts, beside = _begun(texts, args.input), None
    annotators = load_annotators(
        args.model,
        entity_type=args.type,
        relations=args.relations,
        overlaps=args.overlaps,
        dtype=args.dtype,
    )
    found = annotators.documents(texts)
    documents, types = with_progress(found, "documents", name_of(args.input)), annotators.types
    if kind == "terminal":
        print_coloured((terminal_text(d.text, d.entities, types) for d in documents), args.output)
    elif to_folder:
        with new_folder(str(args.output)) as folder:
            write_brat_folder(documents, types, folder)
    else:
        with writing_text(args.output) as file:
            file.writelines(FORMATS[kind](documents))
        if beside is not None:
            write_exactly(beside, text[0].text)


def _is_one_text(args: argparse.Namespace, kind: str) -> bool:
    """Whether a plain file is one text because brat wants it so."""
    from biobert_jax.inference.inputs import kind_of_input

    if kind != "brat":
        return False
    if args.input == STANDARD_INPUT:
        return True
    return not to_path(args.input).is_dir() and kind_of_input(args.input) in ("text", "jsonl")


def _annotate_sharded(args: argparse.Namespace) -> None:
    from biobert_jax.inference.part_plan import Request, Source
    from biobert_jax.inference.sharded import SUFFIXES, annotate_sharded

    form = args.format or "jsonl"
    if form not in SUFFIXES or args.output is None:
        raise UserError(
            f"--shards with --format {form} and --output {args.output}; expected --output DIR and "
            f"one of {', '.join(SUFFIXES)}"
        )
    request = Request(tuple(args.model), args.type, args.relations, args.overlaps, args.dtype)
    source = Source(args.input, args.input_format, args.whole)
    annotate_sharded(source, args.output, args.shards, request, form, args.workers, args.engine)


def declare_answer(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help=f"a run of experiments.qa; {MODEL_HELP}")
    parser.add_argument("--question", metavar="TEXT", help="one question, for all passages")
    parser.add_argument(
        "--input",
        default="-",
        metavar="FILE",
        help="with --question: one passage per line, or .jsonl with `text`. Without: .json of "
        "BioASQ or SQuAD's form, or JSON lines with `question` and `contexts`; -: standard input",
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
    from biobert_jax.inference.formats.json_lines import write_answers
    from biobert_jax.inference.formats.terminal import answers_text
    from biobert_jax.inference.model import QUESTIONS_AT_ONCE, load
    from biobert_jax.inference.questions import read_questions
    from biobert_jax.inference.text_arguments import chunks
    from biobert_jax.inference.texts import name_of

    kind = args.format or _format(args, "text")
    if kind == "bioasq" and not args.output:
        raise UserError("--format bioasq writes one file; expected --output FILE with its name")
    check_output(args.output, [args.input], args.model)
    questions = _begun(read_questions(args.input, args.question), args.input)
    model = load(args.model, dtype=args.dtype)
    kind_asked = model.answerer.type

    def found() -> Iterator[tuple]:
        others = 0
        for asked in chunks(questions, QUESTIONS_AT_ONCE):
            own = [question for question in asked if question.type in ("", kind_asked)]
            others += len(asked) - len(own)
            yield from zip(own, model.answer_asked(own, args.top), strict=True)
        if others:
            logging.getLogger("biobert_jax").warning(
                "%d questions of other types left out: the model answers %s questions",
                others,
                kind_asked,
            )

    answered = with_progress(found(), "questions", name_of(args.input))
    if kind == "bioasq":
        texts = {asked.id: [one.text for one in answers] for asked, answers in answered}
        if kind_asked == "yesno":
            # As in experiments.qa: a question without any snippet is answered as most are.
            texts = {id_: (said or ["yes"])[0] for id_, said in texts.items()}
        with atomic_writing(args.output) as path:
            write_submission(path, kind_asked, texts)
    elif kind == "text":
        print_coloured((answers_text(*pair) for pair in answered), args.output)
    else:
        with writing_text(args.output) as file:
            file.writelines(write_answers(answered))


def declare_relations(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model", required=True, help=f"a run of experiments.relation; {MODEL_HELP}"
    )
    parser.add_argument(
        "--input",
        default="-",
        metavar="FILE",
        help="the forms that training reads, labels left out or not: one marked sentence per line, "
        "TSV with a header, or JSON lines with offsets; - (the default): standard input",
    )
    parser.add_argument(
        "--format", choices=("text", "tsv", "jsonl"), help="default: text, or jsonl to a file"
    )
    parser.add_argument("--output", metavar="FILE", help="default: standard output")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")


def relations(args: argparse.Namespace) -> None:
    from biobert_jax.datasets.relation_files import parse_relations
    from biobert_jax.inference.formats import json_lines, tsv
    from biobert_jax.inference.formats.terminal import relation_text
    from biobert_jax.inference.model import TEXTS_AT_ONCE, load
    from biobert_jax.inference.relations import check_marks
    from biobert_jax.inference.text_arguments import chunks
    from biobert_jax.inference.texts import name_of, read_all

    kind = args.format or _format(args, "text")
    check_output(args.output, [args.input], args.model)
    where = name_of(args.input)
    model = load(args.model, dtype=args.dtype)
    classifier = model.classifier
    text = read_all(args.input, TEXT, JSON)
    sentences = parse_relations(text, where, classifier.marking, labelled=False)
    check_marks(classifier, sentences)
    classified = with_progress(
        (
            pair
            for some in chunks(sentences, TEXTS_AT_ONCE)
            for pair in zip(some, model.relations_of(some), strict=True)
        ),
        "sentences",
        where,
    )
    if kind == "text":
        print_coloured((relation_text(*pair) for pair in classified), args.output)
        return
    write = tsv.write_relations if kind == "tsv" else json_lines.write_relations
    with writing_text(args.output) as file:
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
        "one per piece, with `starts` of each text and `offsets` of each piece beside `embeddings`",
    )
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")


def embed(args: argparse.Namespace) -> None:
    import numpy as np

    from biobert_jax.inference.model import load
    from biobert_jax.inference.texts import read_texts

    check_output(args.output, [args.input], args.model)
    texts = list(read_texts(args.input))
    model = load(args.model, dtype=args.dtype)
    found = model.embed([text.text for text in texts], args.pooling)
    arrays = {"embeddings": found.vectors, "ids": np.array([text.id for text in texts], np.str_)}
    if args.pooling == "none":
        arrays |= {"starts": found.starts, "offsets": found.offsets}
    with atomic_writing(args.output) as path, path.open("wb") as file:
        np.savez(file, **arrays)
    logging.getLogger("biobert_jax").info(
        "%s: %d vectors of %d texts", args.output, len(found.vectors), len(texts)
    )


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 1")
    return int(text)


def _begun(items: Iterator[T], path: str) -> Iterator[T]:
    """The same items; what is wrong with a file's first is found now, before a model is loaded."""
    if path == STANDARD_INPUT:  # somebody may still be typing it
        return items
    return itertools.chain(list(itertools.islice(items, 1)), items)


def _format(args: argparse.Namespace, to_look_at: str) -> str:
    return "jsonl" if args.output or not sys.stdout.isatty() else to_look_at
