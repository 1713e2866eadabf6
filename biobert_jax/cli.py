"""The console script `biobert`.

A command is a function that declares its arguments and one that runs it; what it needs is imported
when it runs, so that --help answers at once. `COMMANDS` lists them.
"""

import argparse
import difflib
import logging
import os
import sys
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, NoReturn

from biobert_jax.analysis import profile, scaling
from biobert_jax.arguments import expand_option
from biobert_jax.corpora import commands as corpora
from biobert_jax.errors import DEBUG, PrintableFormatter, printable, report_errors
from biobert_jax.files import commands as staged
from biobert_jax.inference import commands as inference
from biobert_jax.inference import convert as conversion
from biobert_jax.inference import export as exporting
from biobert_jax.inference import serve as serving
from biobert_jax.inference import text_commands as texts
from biobert_jax.launcher import commands as launcher
from biobert_jax.launcher import completion, doctor, evaluate, publish
from biobert_jax.reports import commands as reports
from biobert_jax.training import checkpoint_index as checkpoints


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


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are one line, and that suggests what may have been meant.

    Options are not abbreviated: what is short for one of them today may be short for two tomorrow.
    An option that takes a value may be given once: of two, argparse would drop the first.
    """

    def __init__(self, **settings):
        self.options: list[str] = []
        self.commands: dict[str, Parser] = {}
        self.passes_on = False
        super().__init__(**settings, allow_abbrev=False)
        self.register("action", None, _StoreOnce)

    def add_argument(self, *names, **settings):
        self.options += [name for name in names if name.startswith("--")]
        self.passes_on |= settings.get("nargs") == argparse.REMAINDER
        return super().add_argument(*names, **settings)

    def parse_known_args(self, args=None, namespace=None):
        args = sys.argv[1:] if args is None else list(args)
        given = args[: args.index("--")] if "--" in args else args
        word = next((arg for arg in given if not arg.startswith("-")), None)
        if self.commands and word is not None:
            given = given[: given.index(word)]
            if word not in self.commands:
                self.error(
                    f"there is no command {word!r}; expected one of {', '.join(self.commands)}"
                    + _suggestion(word, self.commands)
                )
        for name in (arg.partition("=")[0] for arg in given if arg.startswith("--")):
            if name not in self.options and not self.passes_on:
                self.error(f"there is no option {name}{_suggestion(name, self.options)}")
        if self.passes_on and args[:1] and args[0].startswith("--") and args[0] != "--help":
            args = [
                "--",
                *args,
            ]  # a remainder that begins with an option is no remainder to argparse
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        line = f"error: {self.prog}: {message}. See {self.prog} --help"
        self.exit(2, printable(line.replace("\n", " ")) + "\n")


class _StoreOnce(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        given = vars(namespace).setdefault("given", set())
        if option_string is not None and self.dest in given:
            raise argparse.ArgumentError(self, "given twice; expected once")
        given.add(self.dest)
        setattr(namespace, self.dest, values)


def _suggestion(word: str, known: Collection[str]) -> str:
    similar = difflib.get_close_matches(word, known, 1)
    return f"; did you mean {similar[0]}?" if similar else ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command; `arguments` are those of the process by default.

    Raises:
      SystemExit: of a failure, after its message; see `errors.report_errors`.
    """
    given = sys.argv[1:] if arguments is None else arguments
    args = make_parser().parse_args([expand_option(argument) for argument in given])
    if args.debug:
        os.environ[DEBUG] = "1"  # so that worker processes know
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PrintableFormatter("%(levelname).1s %(message)s"))
    logging.basicConfig(handlers=[handler])
    logging.getLogger("biobert_jax").setLevel(logging.INFO)
    with report_errors():
        args.run(args)


def make_parser() -> Parser:
    parser = Parser(
        prog="biobert",
        description="BioBERT: training, inference and tools.",
    )
    parser.add_argument("--version", action=_Version)
    _declare_debug(parser, False)
    groups = {"": parser.add_subparsers(required=True, metavar="COMMAND")}
    parsers = {"": parser}
    for command in COMMANDS:
        group, _, name = command.name.rpartition(" ")
        if group not in groups:
            parsers[group] = groups[""].add_parser(group, help=f"biobert {group} --help lists them")
            parser.commands[group] = parsers[group]
            groups[group] = parsers[group].add_subparsers(required=True, metavar="COMMAND")
        its = groups[group].add_parser(name, help=command.help, description=command.help)
        parsers[group].commands[name] = its
        command.declare(its)
        _declare_debug(its, argparse.SUPPRESS)
        its.set_defaults(run=command.run)
    return parser


def _declare_debug(parser: Parser, default: bool | str) -> None:
    parser.add_argument(
        "--debug", action="store_true", default=default, help="show the traceback of a failure"
    )


class _Version(argparse.Action):
    def __init__(self, option_strings, dest):
        super().__init__(option_strings, dest, nargs=0, help="print the versions and exit")

    def __call__(self, parser, namespace, values, option_string=None):
        from importlib.metadata import version
        from platform import python_version

        import biobert_jax

        name = f"biobert_jax {biobert_jax.__version__}"
        print(f"{name} (Python {python_version()}, jax {version('jax')}, flax {version('flax')})")
        parser.exit()


# A line for each command.
COMMANDS = (
    Command("train", "trains and scores a model", launcher.declare_train, launcher.train),
    Command("sweep", "many runs from one file", launcher.declare_sweep, launcher.sweep),
    Command("demo", "shows the whole way on generated data", launcher.declare_demo, launcher.demo),
    Command(
        "annotate", "marks the entities of texts", inference.declare_annotate, inference.annotate
    ),
    Command(
        "answer", "answers questions from passages", inference.declare_answer, inference.answer
    ),
    Command(
        "relations", "classifies marked pairs", inference.declare_relations, inference.relations
    ),
    Command("classify", "gives labels to texts", texts.declare_classify, texts.classify),
    Command("similarity", "scores pairs of texts", texts.declare_similarity, texts.similarity),
    Command("checkpoints", "lists those of runs", checkpoints.declare, checkpoints.run),
    Command("staged", "lists and removes copies of buckets' files", staged.declare, staged.run),
    Command("profile", "shows where a step's time goes", profile.declare, profile.run),
    Command("scaling", "what a step would take on TPUs and GPUs", scaling.declare, scaling.run),
    Command("evaluate", "scores a model on any file", evaluate.declare, evaluate.run),
    Command("embed", "writes vectors of texts", inference.declare_embed, inference.embed),
    Command(
        "convert", "writes a model in another form", conversion.declare_convert, publish.convert
    ),
    Command(
        "export",
        "writes a model as a program of its own",
        exporting.declare_export,
        exporting.export,
    ),
    Command("serve", "answers requests over HTTP", serving.declare_serve, serving.serve),
    Command("push", "writes a folder for the hub", publish.declare_push, publish.push),
    Command("doctor", "says what is missing here", doctor.declare_doctor, doctor.doctor),
    Command(
        "completion",
        "prints a shell's completion",
        completion.declare_completion,
        lambda args: completion.completion(args, make_parser()),
    ),
    Command("results", "collects runs into a table", reports.declare_results, reports.results),
    Command(
        "compare",
        "compares systems, with p-values",
        reports.declare_compare,
        reports.compare,
    ),
    Command(
        "report",
        "the paper's tables and figures, with ours",
        reports.declare_report,
        reports.report,
    ),
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
