"""TensorFlow checkpoints in, as Google and DMIS publish them (the `tensorflow` extra)."""

import logging
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from biobert_jax.errors import CheckpointError, at
from biobert_jax.interop import layout
from biobert_jax.interop.checkpoint import Checkpoint, check_tensors, check_vocabulary, listed
from biobert_jax.interop.layout import Params, Place, Shape
from biobert_jax.models.config import BertConfig
from biobert_jax.text.wordpiece import casing_from_vocabulary, load_vocabulary

logger = logging.getLogger(__name__)

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


def read_tensorflow(prefix: str | os.PathLike[str]) -> Checkpoint:
    """Reads the checkpoint `<prefix>.index`, `<prefix>.data-*` with the files beside it.

    Configuration and vocabulary are bert_config.json and vocab.txt of the same folder, or the only
    files called bert_config*.json and vocab*.txt (DMIS's large model). Casing is what the
    vocabulary shows. Optimiser slots and global_step are skipped. Heads travel when they are there:
    pooler, MLM, NSP, and those of run_classifier.py or run_ner.py (labels unknown: LABEL_0, ...)
    and run_squad.py.

    Raises:
      CheckpointError: a file is missing or damaged, TensorFlow is not installed, the vocabulary
        does not match, or an encoder tensor is missing, extra or misshapen.
    """
    prefix = Path(_FILE.sub("", os.fspath(prefix)))
    _check_files(prefix)
    config = BertConfig.from_json_file(_beside(prefix, "bert_config", ".json"))
    vocabulary_path = _beside(prefix, "vocab", ".txt")
    vocabulary = list(load_vocabulary(vocabulary_path))
    params = _read_params(prefix, config)
    check_vocabulary(vocabulary_path, vocabulary, config.vocab_size)
    labels = None
    if "classifier" in params:
        labels = [f"LABEL_{i}" for i in range(len(params["classifier"]["bias"]))]
    lowercase = not casing_from_vocabulary(vocabulary)
    return Checkpoint(config, params, vocabulary, lowercase, labels, str(prefix))


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


def _read_params(prefix: Path, config: BertConfig) -> Params:
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
        rows = _checked_rows(prefix, shapes, config)
        tensors = {place.name: _read(reader, name) for name, place in rows.items()}
    except (tf.errors.OpError, RuntimeError, ValueError, LookupError) as error:
        size = sum(path.stat().st_size for path in prefix.parent.glob(f"{prefix.name}.data-*"))
        raise CheckpointError(
            f"{at(prefix)}: TensorFlow cannot read it, with {size:,} bytes of data "
            f"({' '.join(str(error).split())}); copy or download it again"
        ) from error
    return layout.to_params(tensors, config, layout.present(config, tensors))


def _read(reader: Any, name: str) -> np.ndarray:
    tensor = reader.get_tensor(name)
    return tensor.T if name.endswith("/kernel") else tensor


def _checked_rows(prefix: Path, shapes: dict[str, Shape], config: BertConfig) -> dict[str, Place]:
    """The table's rows by the names that the file has for them, once all shapes agree."""
    names = {name: shape for name, shape in shapes.items() if not _OPTIMIZER.search(name)}
    scopes = [name.removesuffix(_WORDS) for name in names if name.endswith(_WORDS)]
    if len(scopes) != 1:
        raise CheckpointError(
            f"{at(prefix)}: expected the variables of one BERT encoder, one of them ending in "
            f"{_WORDS}; found {len(scopes)} such among {listed(names)}"
        )
    (scope,) = scopes
    num_labels = names.get("output_bias", [0])[0]
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
