"""The encoder that a run starts from, and how it is computed."""

import dataclasses
import functools
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax

from biobert_jax.configuration import defaults
from biobert_jax.errors import TrainingError
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.interop.load import initial_params, load_checkpoint
from biobert_jax.interop.workdir import read_workdir
from biobert_jax.models import attention, attention_check
from biobert_jax.models.config import BertConfig, Compute
from biobert_jax.models.protocol import EncoderConfig
from biobert_jax.tasks.preparation import AnyCard
from biobert_jax.text.tokenizer import Tokenizer
from biobert_jax.text.wordpiece import WordPieceTokenizer
from biobert_jax.text.wordpiece_trainer import train_vocabulary
from biobert_jax.training.sharding import check_divides, make_mesh, mesh_sizes

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Start:
    """The encoder that a run starts from; `tasks.preparation.Start` is what tasks know of it.

    Attributes:
      checkpoint: where its weights come from; None for random ones.
      architecture: its sizes, with the config's dropout.
      tokenizer: that of the checkpoint, or of the config.
      compute: how the model is computed on these devices.
      facts: what environment.json says of that.
    """

    checkpoint: Checkpoint | None
    architecture: EncoderConfig
    tokenizer: Tokenizer
    compute: Compute
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)

    def card(self, card: type[AnyCard], /, **own: Any) -> AnyCard:
        """A card of this kind for the encoder and its tokenizer, with the task's own fields."""
        return card(
            architecture=self.architecture,
            vocabulary=self.tokenizer.vocabulary,
            lowercase=self.tokenizer.lowercase,
            **own,
        )

    def initial_params(self, labels: Sequence[str] | None = None) -> Callable[[Any], Any] | None:
        """A function from fresh parameters to those that training starts with; None for random."""
        checkpoint = self.checkpoint
        if checkpoint is None:
            return None

        def initial(fresh: Any) -> Any:
            params, report = initial_params(fresh, checkpoint, labels)
            logger.info("initial parameters: %s", report)
            return params

        return initial


def start(config: Any, training_texts: Callable[[], Iterable[str]]) -> Start:
    """Resolves `config.init`; for `random`, builds what a checkpoint would have brought.

    Args:
      config: init, vocab, lowercase, vocab_size, model, compute.
      training_texts: gives the texts to train a vocabulary on where none is given.

    Raises:
      CheckpointError: `config.init` cannot be read.
      TrainingError: `config.vocab` or `config.lowercase` is not that of the checkpoint.
    """
    rates = dropout_rates(config)
    checkpoint = load(config.init)
    if checkpoint is not None:
        tokenizer = checkpoint.make_tokenizer()
        given = config.vocab and WordPieceTokenizer.from_vocabulary(config.vocab, config.lowercase)
        if given and given.vocabulary != tokenizer.vocabulary:
            raise TrainingError(
                f"config.vocab: {config.vocab} is not the vocabulary of {config.init} "
                f"({given.vocab_size} and {tokenizer.vocab_size} pieces). A checkpoint brings its "
                "own; leave config.vocab out"
            )
        if config.lowercase and not tokenizer.lowercase:
            raise TrainingError(
                f"config.lowercase is True, and {config.init} is cased. A checkpoint brings its "
                "casing; leave config.lowercase out"
            )
        _warn_of_other_sizes(config.init, sizes(config), checkpoint.config)
        architecture = dataclasses.replace(checkpoint.config, **rates)
        return _start(config, checkpoint, architecture, tokenizer)
    vocabulary = config.vocab or train_vocabulary(
        training_texts(), config.vocab_size, config.lowercase
    )
    tokenizer = WordPieceTokenizer.from_vocabulary(vocabulary, config.lowercase)
    architecture = BertConfig(vocab_size=tokenizer.vocab_size, **sizes(config), **rates)
    return _start(config, None, architecture, tokenizer)


def _start(config: Any, checkpoint: Any, architecture: Any, tokenizer: Any) -> Start:
    options, facts = _compute_and_proof(config, architecture)
    return Start(checkpoint, architecture, tokenizer, options, facts)


def _warn_of_other_sizes(init: str, given: dict[str, Any], checkpoint: EncoderConfig) -> None:
    """Logs which sizes of config.model are not used; the defaults are not worth a line."""
    usual = sizes(defaults.defaults())
    unused = [
        f"{name}={size} ({getattr(checkpoint, name)} there)"
        for name, size in given.items()
        if size not in (getattr(checkpoint, name), usual.get(name))
    ]
    if unused:
        logger.warning("not used, since %s has its own: config.model.%s", init, ", ".join(unused))


def sizes(config: Any) -> dict[str, Any]:
    """The sizes of `config.model`, by BertConfig's names."""
    return {n: size for n, size in config.model.items() if not n.endswith("dropout")}


def dropout_rates(config: Any) -> dict[str, Any]:
    """The dropout of `config.model`, by BertConfig's names."""
    return {
        "hidden_dropout_prob": config.model.dropout,
        "attention_probs_dropout_prob": defaults.attention_dropout(config),
    }


@functools.lru_cache(maxsize=1)
def load(init: str) -> Checkpoint | None:
    """Reads a checkpoint, None for `random`. All folds start from the same one, so it is cached."""
    return load_checkpoint(init, read_workdir)


def compute(
    config: Any, architecture: EncoderConfig | None = None, platform: str | None = None
) -> Compute:
    """How a model is computed; resolves and logs what `auto` means.

    Args:
      config: compute, model, mesh.
      architecture: of the model, to try the attention on these devices; None: it is not tried.
      platform: as of `platform_here`, which is the default.

    Raises:
      TrainingError: `mesh.tensor` does not divide the model's heads, or the attention that the
        config names does not work here.
    """
    return _compute_and_proof(config, architecture, platform)[0]


def _compute_and_proof(
    config: Any, architecture: EncoderConfig | None, platform: str | None = None
) -> tuple[Compute, dict[str, Any]]:
    """As `compute`; besides, what trying the attention has shown, for environment.json."""
    if architecture is not None and config.mesh.tensor != 1:
        check_divides(make_mesh(mesh_sizes(config)), architecture)
    options = Compute(**config.compute)
    platform = platform or platform_here()
    if options.unroll < 0:
        # Without a loop XLA sees that what is to be computed again still exists, and keeps it.
        loop = platform != "cpu" or options.remat != "none"
        options = dataclasses.replace(options, unroll=int(loop))
    if options.attention == "auto":
        rate = defaults.attention_dropout(config)
        chosen = attention.choose(platform, options.dtype, rate, options.dropout)
        message = "attention on %s in %s with dropout %g: %s"
        logger.info(message, platform, options.dtype, rate, chosen)
        options = dataclasses.replace(options, attention=chosen)
    if architecture is not None and options.attention != "xla":
        return _with_proven_attention(options, config, architecture)
    return options, {"attention": options.attention}


def _with_proven_attention(
    options: Compute, config: Any, architecture: Any
) -> tuple[Compute, dict[str, Any]]:
    """Tries the attention on this run's devices; `auto` falls back to plain XLA.

    Raises:
      TrainingError: the attention that the config names by itself is wrong or does not run.
    """
    began = time.perf_counter()
    with jax.set_mesh(make_mesh(mesh_sizes(config))):
        found = attention_check.compare(
            options.attention,
            row_length=config.batch.row_length,
            heads=architecture.num_attention_heads,
            head_size=architecture.head_size,
            dtype=options.dtype,
            dropout_rate=architecture.attention_probs_dropout_prob,
            generator=options.dropout,
        )
    seconds = time.perf_counter() - began
    name = options.attention
    tried = {"tried": name, **dataclasses.asdict(found), "seconds": round(seconds, 2)}
    if found.agrees:
        logger.info("attention %s agrees with xla: %s; tried in %.1f s", name, found, seconds)
        return options, {"attention": name, "attention_check": tried}
    if config.compute.attention == "auto":
        logger.warning("attention %s is not used: it %s; xla is used instead", name, found)
        options = dataclasses.replace(options, attention="xla")
        return options, {"attention": "xla", "attention_check": tried}
    raise TrainingError(
        f"config.compute.attention is {name!r}, which cannot be used here: {found}; take 'auto'"
    )


def platform_here() -> str:
    """The platform of the devices that JAX sees: cpu, tpu, cuda or rocm."""
    name = jax.default_backend()
    if name != "gpu":
        return name
    return "rocm" if "rocm" in jax.devices()[0].client.platform_version.lower() else "cuda"
