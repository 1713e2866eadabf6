"""What the entry points share: flags, devices, the checkpoint to start from."""

import dataclasses
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from absl import app, flags
from ml_collections import config_flags

from biobert_jax.training.memory import use_huge_pages

if TYPE_CHECKING:
    from biobert_jax.interop.checkpoint import Checkpoint
    from biobert_jax.models.config import BertConfig, Compute
    from biobert_jax.text.wordpiece import WordPieceTokenizer

CONFIG = config_flags.DEFINE_config_file("config", None, "The experiment, e.g. configs/ner/s800.py")
WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run; one that exists is resumed.")
COORDINATOR = flags.DEFINE_string(
    "coordinator",
    None,
    "host:port of process 0, for several processes. Not needed with srun, mpirun, Cloud TPU: "
    "docs/clusters.md.",
)
PROCESSES = flags.DEFINE_integer(
    "num_processes", None, "How many processes train together. 1: this one alone, on any cluster."
)
PROCESS_ID = flags.DEFINE_integer("process_id", None, "The number of this one, from 0.")
flags.mark_flag_as_required("config")


@dataclasses.dataclass(frozen=True)
class Start:
    """The encoder that an experiment begins with."""

    checkpoint: "Checkpoint | None"
    architecture: "BertConfig"
    tokenizer: "WordPieceTokenizer"


def launch(main: Callable[[list[str]], None]) -> NoReturn:
    """Reads the flags and runs an experiment's `main`."""
    use_huge_pages()

    def together(argv: list[str]) -> None:
        from biobert_jax.training.distributed import told_to_others

        with told_to_others():
            main(argv)

    app.run(together, flags_parser=_parse_flags)


def _parse_flags(argv: list[str]) -> list[str]:
    """Parses as absl does, but answers mistakes in a config with a line instead of a traceback."""
    try:
        arguments = flags.FLAGS(argv)
        CONFIG.value.lock()  # a file that is not there is told on first use only
        known = flags.FLAGS.flag_values_dict()
        if WORKDIR.value is None and not known.get("compile_only"):
            raise flags.Error("Flag --workdir must have a value other than None")
        return arguments
    except (flags.Error, OSError) as error:
        # Where a config file raised something, the message ends with that.
        message = str(error).strip().splitlines()[-1].strip()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        given = ", ".join(flag for flag in argv if flag.startswith("--config."))
        message = (
            f"{' '.join(str(error).split())}: no such setting, or not of this type, in {given}"
        )
    print(f"error: {message}. See --help, and the config file for its settings", file=sys.stderr)
    sys.exit(1)


def setup() -> None:
    """Logging, the compilation cache, and the other processes where there are any."""
    import jax

    from biobert_jax.training import distributed

    # Milliseconds since the launch stand on every line: a slow start shows where it is slow.
    form = "%(levelname).1s %(relativeCreated)6.0f ms  %(message)s"
    logging.basicConfig(format=form, stream=sys.stderr, force=True)
    logging.getLogger().setLevel(logging.WARNING)
    logging.getLogger("absl").setLevel(logging.WARNING)  # Orbax tells forty lines a checkpoint
    logging.getLogger("biobert_jax").setLevel(logging.INFO)
    # What a thread of Orbax raises is raised again, and told, where the save is waited for.
    threading.excepthook = _tell_unless_told_later
    sys.unraisablehook = _tell_unless_too_late
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "biobert_jax" / "xla"
    jax.config.update(
        "jax_compilation_cache_dir", os.environ.get("JAX_COMPILATION_CACHE_DIR", str(cache))
    )
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    limits = distributed.Timeouts(**CONFIG.value.get("distributed", {}))
    job = distributed.find_job(
        COORDINATOR.value, PROCESSES.value, PROCESS_ID.value, limits.connect_timeout
    )
    if job is not None and job.process_id != 0:
        logging.getLogger("biobert_jax").setLevel(logging.WARNING)
    distributed.set_up(job, limits)


def _tell_unless_told_later(args: threading.ExceptHookArgs) -> None:
    frames = traceback.extract_tb(args.exc_traceback)
    if any("orbax" in frame.filename for frame in frames):
        logging.getLogger("biobert_jax").debug("in a thread of Orbax", exc_info=args.exc_value)
    else:
        threading.__excepthook__(args)


def _tell_unless_too_late(args: "sys.UnraisableHookArgs") -> None:
    # TensorStore's other writes fail after Orbax has given up on a save, and print each of these.
    if str(args.exc_value) != "Event loop is closed":
        sys.__unraisablehook__(args)


def start(config, training_texts) -> Start:
    """Resolves `config.init`; for `random`, builds what a checkpoint would have brought.

    Args:
      config: init, vocab, lowercase, vocab_size, model.
      training_texts: a function that gives the texts to train a vocabulary on where none is given.
    """
    from biobert_jax.interop.load import load_checkpoint
    from biobert_jax.interop.workdir import read_workdir
    from biobert_jax.models.config import BertConfig
    from biobert_jax.text.vocabulary import train_vocabulary
    from biobert_jax.text.wordpiece import WordPieceTokenizer

    sizes = config.model.to_dict()
    dropout = sizes.pop("dropout")
    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    checkpoint = load_checkpoint(config.init, read_workdir)
    if checkpoint is not None:
        architecture = dataclasses.replace(checkpoint.config, **rates)
        tokenizer = WordPieceTokenizer(checkpoint.vocabulary, checkpoint.lowercase)
        return Start(checkpoint, architecture, tokenizer)
    vocabulary = config.vocab or train_vocabulary(
        training_texts(), config.vocab_size, config.lowercase
    )
    tokenizer = WordPieceTokenizer.from_vocabulary(vocabulary, config.lowercase)
    return Start(None, BertConfig(vocab_size=tokenizer.vocab_size, **sizes, **rates), tokenizer)


def compute(config, platform: str | None = None) -> "Compute":
    """How the config wants a model computed; what `auto` stands for is settled here, and told.

    Args:
      config: compute, model.
      platform: of the devices; None: of those that are there.
    """
    import jax

    from biobert_jax.errors import TrainingError
    from biobert_jax.models import attention
    from biobert_jax.models.config import Compute
    from biobert_jax.models.dropout import GENERATORS
    from biobert_jax.models.encoder import REMAT_POLICIES

    options = Compute(**config.compute)
    for name, allowed in (
        ("attention", ("auto", *attention.IMPLEMENTATIONS)),
        ("dropout", GENERATORS),
        ("remat", REMAT_POLICIES),
    ):
        if (value := getattr(options, name)) not in allowed:
            raise TrainingError(
                f"config.compute.{name} is {value!r}; expected one of {', '.join(allowed)}"
            )
    platform = platform or jax.default_backend()
    if options.unroll < 0:
        options = dataclasses.replace(options, unroll=0 if platform == "cpu" else 1)
    if options.attention == "auto":
        rate = config.model.dropout
        chosen = attention.choose(platform, options.dtype, rate, options.dropout)
        message = "attention on %s in %s with dropout %g: %s"
        logging.getLogger("biobert_jax").info(message, platform, options.dtype, rate, chosen)
        options = dataclasses.replace(options, attention=chosen)
    return options


def card(start: Start, task: str, **more) -> dict:
    """What a checkpoint carries so that it can be used without its data."""
    return {
        "task": task,
        "architecture": start.architecture.to_dict(),
        "vocabulary": start.tokenizer.vocabulary,
        "lowercase": start.tokenizer.lowercase,
        **more,
    }


def initial_params(start: Start, labels=None):
    """A function from fresh parameters to those that training starts with; None for random."""
    from biobert_jax.interop.load import initial_params as restore

    if start.checkpoint is None:
        return None

    def initial(fresh):
        params, report = restore(fresh, start.checkpoint, labels)
        logging.getLogger("biobert_jax").info("initial parameters: %s", report)
        return params

    return initial


def write_results(config, workdir: Path, results: dict | None) -> None:
    """Writes results.json, from the first process."""
    import jax

    from biobert_jax.training.workdir import write_json

    if results is None or jax.process_index() != 0:
        return
    head = {"task": config.task, "dataset": config.dataset.name, "seed": config.seed}
    write_json(workdir / "results.json", head | results)
