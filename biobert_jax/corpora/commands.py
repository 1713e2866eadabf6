"""The console script's commands for corpora and vocabularies; `biobert_jax.cli` lists them."""

import argparse
import json
import os

from biobert_jax.arguments import positive_number, share, whole_number
from biobert_jax.errors import UserError
from biobert_jax.files import to_path

SOURCES = ("pubmed", "pmc", "text")
TEXT_FORMATS = ("sentences", "lines", "jsonl")

_ONLY_FOR = {
    "text_format": "text",
    "labels": "pubmed",
    "captions": "pmc",
    "section_titles": "pmc",
    "citations": "pmc",
}


def declare_build(parser: argparse.ArgumentParser) -> None:
    _declare_reader(parser)
    _declare_workers(parser)
    parser.add_argument("--vocab", required=True, metavar="FILE", help="vocab.txt of the model")
    parser.add_argument(
        "--lowercase",
        action=argparse.BooleanOptionalAction,
        help="lower-case the text and strip accents; default: as the vocabulary is",
    )
    parser.add_argument(
        "--output",
        required=True,
        metavar="DIR",
        help="new, or of an interrupted run, which is resumed",
    )
    parser.add_argument(
        "--min-words",
        type=whole_number(0),
        default=10,
        help="drop shorter documents (default: %(default)s)",
    )
    parser.add_argument("--keep-duplicates", action="store_true")
    parser.add_argument(
        "--exclude", default="", metavar="FILE", help="ids or PMIDs to drop, one per line"
    )
    parser.add_argument(
        "--unit-megabytes",
        type=positive_number,
        default=16,
        help="small files share a shard up to this size (default: %(default)s)",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="ray: on the cluster of RAY_ADDRESS, whose nodes see the same paths",
    )


def build(args: argparse.Namespace) -> None:
    from biobert_jax.corpora.build.pipeline import BuildOptions, build_corpus
    from biobert_jax.corpora.statistics import corpus_rows, print_corpora

    options = BuildOptions(
        reader=_reader(args),
        vocabulary=args.vocab,
        lowercase=args.lowercase,
        min_words=args.min_words,
        keep_duplicates=args.keep_duplicates,
        exclude=args.exclude,
        skip_errors=args.on_error == "skip",
        unit_bytes=int(args.unit_megabytes * 2**20),
    )
    corpus = build_corpus(
        args.input, args.output, options, workers=args.workers, engine=args.engine
    )
    read = corpus.manifest.get("read", {})
    print(", ".join(f"{name} {count:,}" for name, count in read.items() if count))
    print_corpora(corpus_rows([args.output]))


def declare_stats(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folders", nargs="+", metavar="DIR", help="of biobert corpus build")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--verify", action="store_true", help="compare every file with its checksum first"
    )


def stats(args: argparse.Namespace) -> None:
    from biobert_jax.corpora.statistics import corpus_rows, print_corpora
    from biobert_jax.corpora.store import ShardedCorpus

    if args.verify:
        for folder in args.folders:
            ShardedCorpus(folder).verify()
    rows = corpus_rows(args.folders)
    if args.json:
        print(json.dumps(rows, indent=2))
    else:
        print_corpora(rows)


def declare_decontaminate(parser: argparse.ArgumentParser) -> None:
    _declare_reader(parser)
    _declare_workers(parser)
    parser.add_argument(
        "--benchmarks",
        nargs="*",
        default=[],
        metavar="PATH",
        help="NER folders, whose test files are read, or text files with one sentence per line",
    )
    parser.add_argument(
        "--pmids",
        nargs="*",
        default=[],
        metavar="FILE",
        help="PMIDs of test articles, one per line",
    )
    parser.add_argument(
        "--share",
        type=share,
        default=0.5,
        help="of a sentence's runs of eight words that make it found (default: %(default)s)",
    )
    parser.add_argument(
        "--exclusions", metavar="FILE", help="write what biobert corpus build --exclude reads"
    )
    parser.add_argument("--report", metavar="FILE", help="write the report as JSON")


def decontaminate(args: argparse.Namespace) -> None:
    from biobert_jax.corpora.decontaminate import (
        find_contamination,
        print_contamination,
        read_benchmark,
        read_pmids,
        write_findings,
    )
    from biobert_jax.corpora.readers.inputs import find_inputs
    from biobert_jax.files import refuse_overwriting

    inputs = [file.path for file in find_inputs(args.input, args.source)]
    for output in filter(None, (args.report, args.exclusions)):
        refuse_overwriting(output, [*inputs, *args.benchmarks, *args.pmids])
    found = find_contamination(
        args.input,
        _reader(args),
        {name: read_benchmark(path) for name, path in _names(args.benchmarks).items()},
        pmids=[pmid for path in args.pmids for pmid in read_pmids(path)],
        share=args.share,
        skip_errors=args.on_error == "skip",
        workers=args.workers,
    )
    print_contamination(found)
    write_findings(found, args.report, args.exclusions)


def _names(paths: list[str]) -> dict[str, str]:
    """Paths by their last part, or as they are where two end alike."""
    names = [to_path(path).stem for path in paths]
    distinct = len(set(names)) == len(names)
    return dict(zip(names if distinct else paths, paths, strict=True))


def declare_train_vocabulary(parser: argparse.ArgumentParser) -> None:
    _declare_reader(parser)
    parser.add_argument("--size", type=whole_number(7), default=28996, help="default: %(default)s")
    parser.add_argument("--output", required=True, metavar="FILE", help="vocab.txt")
    parser.add_argument("--lowercase", action="store_true")
    parser.add_argument(
        "--every",
        type=whole_number(1),
        default=1,
        metavar="N",
        help="train on one document in N only",
    )
    parser.add_argument(
        "--compare", metavar="FILE", help="a vocab.txt to measure on the same held-out documents"
    )


def train_vocabulary(args: argparse.Namespace) -> None:
    from biobert_jax.corpora.domain_vocabulary import print_vocabularies, train_from_files

    reports = train_from_files(
        args.input,
        _reader(args),
        args.output,
        size=args.size,
        lowercase=args.lowercase,
        every=args.every,
        compare=args.compare,
        skip_errors=args.on_error == "skip",
    )
    print_vocabularies(reports)


def _declare_reader(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--source", choices=SOURCES, default="text")
    parser.add_argument(
        "--input", required=True, nargs="+", metavar="GLOB", help="files, plain or gzip; quote **"
    )
    parser.add_argument(
        "--text-format",
        choices=TEXT_FORMATS,
        default="",
        help="one sentence per line, a blank line between documents; one document per line; JSONL. "
        "Default: jsonl by the file's name, otherwise sentences",
    )
    parser.add_argument(
        "--labels", action="store_true", help="pubmed: sections begin with their labels"
    )
    for name in ("captions", "section-titles", "citations"):
        parser.add_argument(f"--{name}", action="store_true", help="pmc: keep them")
    parser.add_argument(
        "--on-error",
        choices=("raise", "skip"),
        default="raise",
        help="what cannot be read ends the run, or is set aside",
    )


def _declare_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workers", type=whole_number(1), default=os.cpu_count() or 1, help="default: %(default)s"
    )


def _reader(args: argparse.Namespace):
    from biobert_jax.corpora.readers.inputs import ReaderOptions

    for option, source in _ONLY_FOR.items():
        if getattr(args, option) and args.source != source:
            raise UserError(
                f"--{option.replace('_', '-')} is for --source {source}, found --source "
                f"{args.source}; leave it out, or name the other source"
            )
    return ReaderOptions(
        source=args.source,
        text_format=args.text_format,
        labels=args.labels,
        captions=args.captions,
        section_titles=args.section_titles,
        citations=args.citations,
    )
