"""TensorFlow checkpoints in, as Google and DMIS publish them (the `tensorflow` extra)."""

import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

from biobert_jax.errors import CheckpointError, at
from biobert_jax.files import in_bucket, local, to_path
from biobert_jax.interop import layout
from biobert_jax.interop.checkpoint import (
    Checkpoint,
    check_tensors,
    check_values,
    check_vocabulary,
    listed,
)
from biobert_jax.interop.layout import Params, Place, Shape
from biobert_jax.interop.tensor_files import float32
from biobert_jax.models.config import BertConfig
from biobert_jax.text.wordpiece import casing_from_vocabulary, load_vocabulary

logger = logging.getLogger(__name__)

OUTPUT_HEADS = ("ner", "classification")
"""What `output_weights` of a fine-tuned checkpoint can be."""
NER_LABELS = ("[PAD]", "B", "I", "O", "X", "[CLS]", "[SEP]")
"""The outputs of DMIS's run_ner.py in order; X is a piece after a word's first."""

_FILE = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_WORDS = "embeddings/word_embeddings"
_OPTIMIZER = re.compile(
    r"(^|/)(adam_[mv]|Adam(_\d+)?|AdamWeightDecayOptimizer\w*|beta\d_power\w*|global_step)(/|$)"
)
# modeling.py and the run_*.py scripts name these outside their own scheme.
_NAMES = {
    "cls.predictions.bias": "cls/predictions/output_bias",
    "cls.seq_relationship.weight": "cls/seq_relationship/output_weights",
    "cls.seq_relationship.bias": "cls/seq_relationship/output_bias",
    "classifier.weight": "output_weights",
    "classifier.bias": "output_bias",
    "qa_outputs.weight": "cls/squad/output_weights",
    "qa_outputs.bias": "cls/squad/output_bias",
}


def prefixes_in(folder: Path) -> list[Path]:
    """The prefixes of the TensorFlow checkpoints in a folder, sorted."""
    return [
        path.with_name(path.name.removesuffix(".index")) for path in sorted(folder.glob("*.index"))
    ]


def is_prefix(path: Path) -> bool:
    """Whether there are files of a TensorFlow checkpoint under this prefix, complete or not."""
    return bool(_files(path))


def _files(path: Path) -> list[str]:
    prefix = _FILE.sub("", path.name)
    if not path.parent.is_dir():
        return []
    return sorted(
        file.name
        for file in path.parent.iterdir()
        if file.name.startswith(prefix) and _FILE.fullmatch(file.name[len(prefix) :])
    )


def read_tensorflow(
    prefix: str | os.PathLike[str], head: str | None = None, labels: Sequence[str] | None = None
) -> Checkpoint:
    """Reads the checkpoint `<prefix>.index`, `<prefix>.data-*` with the files beside it.

    Configuration and vocabulary are bert_config.json and vocab.txt of the same folder, or the only
    files called bert_config*.json and vocab*.txt (DMIS's large model). Casing is what the
    vocabulary shows. Optimiser slots and global_step are skipped. Pooler, MLM, NSP and the head of
    run_squad.py are read where the file has them.

    `output_weights` may be run_ner.py's or run_classifier.py's (run_re.py's): both files have the
    same variables, a pooler among them, and neither holds labels. So they are left out, which the
    log says, unless `head` is given. From DMIS's NER models, whose seven outputs are `NER_LABELS`,
    only those of B, I and O are taken. The others mark positions that we do not classify: pieces
    after a word's first, [CLS], [SEP] and padding.

    Args:
      prefix: as above; the name of one of its files will do.
      head: what `output_weights` are, a name of `OUTPUT_HEADS`; None: not known.
      labels: the outputs' names in order. For NER, those in brackets and X are left out, and of a
        model with DMIS's seven outputs the names for B, I and O suffice, in any order (by default
        B, I, O; B-Disease, I-Disease, O name the type). For classification LABEL_0, ... by default.

    Raises:
      CheckpointError: a file is missing or damaged, TensorFlow is not installed, the vocabulary
        does not match, an encoder tensor is missing, extra or misshapen, weights are not finite;
        or `head` and `labels` do not fit the file.
    """
    if head not in (None, *OUTPUT_HEADS):
        raise CheckpointError(f"head is {head!r}; expected one of {', '.join(OUTPUT_HEADS)}")
    given = to_path(_FILE.sub("", os.fspath(prefix)))
    _check_files(given)
    prefix = _local(given)
    config = BertConfig.from_json_file(_beside(prefix, "bert_config", ".json"))
    vocabulary_path = _beside(prefix, "vocab", ".txt")
    vocabulary = list(load_vocabulary(vocabulary_path))
    params = _read_params(prefix, config, with_outputs=head is not None)
    check_vocabulary(vocabulary_path, vocabulary, config.vocab_size)
    if head is not None:
        params, labels = _with_labels(prefix, params, head, labels)
    lowercase = not casing_from_vocabulary(vocabulary)
    names = None if labels is None else list(labels)
    return Checkpoint(config, params, vocabulary, lowercase, names, str(given))


def _local(prefix: Path) -> Path:
    """The prefix of a local copy of a checkpoint in a bucket, and of the files beside it."""
    if not in_bucket(prefix):
        return prefix
    beside = (one.name for one in prefix.parent.iterdir() if one.suffix in (".json", ".txt"))
    copies = [local(prefix.with_name(name)) for name in (*_files(prefix), *beside)]
    return copies[0].with_name(prefix.name)


def _with_labels(
    prefix: Path, params: Params, head: str, labels: Sequence[str] | None
) -> tuple[Params, list[str]]:
    """The parameters with the outputs whose labels this project has, and these labels."""
    if "classifier" not in params:
        raise CheckpointError(
            f"{at(prefix)}: no output_weights, so it has no head for {head}; expected a checkpoint "
            "that run_ner.py, run_re.py or run_classifier.py saved"
        )
    kernel, bias = params["classifier"]["kernel"], params["classifier"]["bias"]
    kept = _labelled_outputs(prefix, head, len(bias), list(labels or ()))
    own = {"kernel": kernel[:, list(kept.values())], "bias": bias[list(kept.values())]}
    # run_ner.py saves a pooler, too, that nothing was computed from.
    others = {name: group for name, group in params.items() if head != "ner" or name != "pooler"}
    logger.info(
        "%s: output_weights read as a head for %s: %s",
        prefix,
        head,
        ", ".join(f"{label} from output {index}" for label, index in kept.items()),
    )
    return {**others, "classifier": own}, list(kept)


def _labelled_outputs(prefix: Path, head: str, outputs: int, labels: list[str]) -> dict[str, int]:
    """The outputs to keep, by label."""
    if head == "classification":
        labels = labels or [f"LABEL_{i}" for i in range(outputs)]
    elif outputs == len(NER_LABELS) and len(labels) in (0, 3):
        by_kind = {label.partition("-")[0]: label for label in labels or ("B", "I", "O")}
        if by_kind.keys() != {"B", "I", "O"}:
            raise CheckpointError(
                f"{at(prefix)}: labels {', '.join(labels)} for the outputs {', '.join(NER_LABELS)} "
                "of run_ner.py; expected one each for B, I and O, such as B-Disease,I-Disease,O"
            )
        return {label: NER_LABELS.index(kind) for kind, label in by_kind.items()}
    if len(labels) != outputs or len(set(labels)) < len(labels):
        raise CheckpointError(
            f"{at(prefix)}: {len(labels)} labels ({listed(labels) or 'none'}) for {outputs} "
            "outputs; give as many, each once, in the order of training (--labels)"
        )
    tags = {label: i for i, label in enumerate(labels)}
    if head == "ner":
        tags = {label: i for label, i in tags.items() if label != "X" and label[:1] != "["}
        if "O" not in tags or any(not re.fullmatch(r"O|[BIES](-.+)?", tag) for tag in tags):
            raise CheckpointError(
                f"{at(prefix)}: labels {', '.join(tags)}; expected O and tags that begin with B-, "
                "I-, E- or S- (and X or names in brackets, which are left out)"
            )
    return tags


def _check_files(prefix: Path) -> None:
    files = _files(prefix)
    shards = [name for name in files if ".data-" in name]
    count = int(shards[0].rsplit("-", 1)[1]) if shards else 1
    wanted = [f"{prefix.name}.index"]
    wanted += [f"{prefix.name}.data-{i:05d}-of-{count:05d}" for i in range(count)]
    missing = [name for name in wanted if name not in files]
    if missing:
        raise CheckpointError(
            f"{at(prefix)}: a TensorFlow checkpoint is the files {', '.join(wanted)}; missing: "
            f"{', '.join(missing)}. Copy them into {prefix.parent}, or correct the prefix"
        )


def _beside(prefix: Path, stem: str, suffix: str) -> Path:
    exact = prefix.parent / f"{stem}{suffix}"
    if exact.is_file():
        return exact
    alike = sorted(prefix.parent.glob(f"{stem}*{suffix}"))
    if len(alike) != 1:
        raise CheckpointError(
            f"{at(prefix.parent)}: expected {exact.name} beside the checkpoint, found "
            f"{listed(path.name for path in alike) or 'none'}; copy the one it was published with"
        )
    return alike[0]


def _read_params(prefix: Path, config: BertConfig, with_outputs: bool) -> Params:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise CheckpointError(
            f"{at(prefix)}: reading a TensorFlow checkpoint needs TensorFlow; "
            "pip install 'biobert-jax[tensorflow]', or convert it elsewhere (biobert convert)"
        ) from error
    try:
        reader = tf.train.load_checkpoint(os.fspath(prefix))
        shapes = reader.get_variable_to_shape_map()
        rows = _checked_rows(prefix, shapes, config, with_outputs)
        values = {name: float32(reader.get_tensor(name)) for name in rows}
    except (tf.errors.OpError, RuntimeError, ValueError, LookupError) as error:
        size = sum(path.stat().st_size for path in prefix.parent.glob(f"{prefix.name}.data-*"))
        raise CheckpointError(
            f"{at(prefix)}: TensorFlow cannot read it, with {size:,} bytes of data "
            f"({' '.join(str(error).split())}); copy or download it again"
        ) from error
    check_values(prefix, values)
    tensors = {
        place.name: values[name].T if name.endswith("/kernel") else values[name]
        for name, place in rows.items()
    }
    return layout.to_params(tensors, config, layout.present(config, tensors))


def _checked_rows(
    prefix: Path, shapes: dict[str, Shape], config: BertConfig, with_outputs: bool
) -> dict[str, Place]:
    """The table's rows by the names that the file has for them, once all shapes agree."""
    names = {name: shape for name, shape in shapes.items() if not _OPTIMIZER.search(name)}
    scopes = [name.removesuffix(_WORDS) for name in names if name.endswith(_WORDS)]
    if len(scopes) != 1:
        raise CheckpointError(
            f"{at(prefix)}: expected the variables of one BERT encoder, one of them ending in "
            f"{_WORDS}; found {len(scopes)} such among {listed(names)}"
        )
    (scope,) = scopes
    outputs = [name for name in ("output_weights", "output_bias") if name in names]
    if outputs and not with_outputs:
        logger.warning(
            "%s: left out %s: the head of run_ner.py or of run_classifier.py (run_re.py); the file "
            "does not say which, nor its labels. biobert convert --head ner|classification "
            "--labels ... keeps it",
            prefix,
            " and ".join(f"{name} {list(names[name])}" for name in outputs),
        )
        names = {name: shape for name, shape in names.items() if name not in outputs}
    num_labels = next(iter(names.get("output_bias", ())), 0)
    table = [
        place
        for group in ("encoder", *layout.HEADS)
        for place in layout.places(config, group, num_labels)
    ]
    own = {place.name: tensorflow_name(place, scope) for place in table}
    here = [name for name, theirs in own.items() if theirs in names]
    groups = layout.present(config, here, num_labels)
    rows = {own[place.name]: place for group in groups.values() for place in group}

    foreign = [name for name in names if name not in rows and not name.startswith(scope or "bert/")]
    if foreign:
        logger.warning(
            "%s: variables of no head that is known here, left out: %s", prefix, listed(foreign)
        )
    expected = {
        name: place.shape[::-1] if name.endswith("/kernel") else place.shape
        for name, place in rows.items()
    }
    check_tensors(prefix, {n: s for n, s in names.items() if n not in foreign}, expected)
    return rows


def tensorflow_name(place: Place, scope: str = "bert/") -> str:
    """Google's name of a published tensor, the encoder's with `scope` instead of `bert/`.

    A dense layer of modeling.py is a `kernel` [in, out]; the `output_weights` are [out, in].
    """
    if place.name in _NAMES:
        return _NAMES[place.name]
    name = place.name.replace(".layer.", ".layer_")
    module, kind = name.rsplit(".", 1)
    if module.endswith("LayerNorm"):
        kind = "/gamma" if kind == "weight" else "/beta"
    elif place.path[-1] == "embedding":
        kind = ""
    else:
        kind = "/kernel" if kind == "weight" else "/bias"
    name = module.replace(".", "/") + kind
    return scope + name.removeprefix("bert/") if name.startswith("bert/") else name
