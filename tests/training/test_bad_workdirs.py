"""Damaged workdirs: each is refused in one line that names the file, by what reads and resumes it.

One tiny workdir is made and copied; nothing is compiled.
"""

import json
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from biobert_jax.errors import CheckpointError, UserError
from biobert_jax.interop import layout
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.interop.workdir import read_workdir, write_workdir
from biobert_jax.models.config import BertConfig
from biobert_jax.training.checkpoint_index import find_step
from biobert_jax.training.checkpointing import Checkpoints
from biobert_jax.training.step import TrainState
from biobert_jax.training.workdir import prepare

CONFIG = BertConfig(
    vocab_size=7,
    hidden_size=4,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=6,
    max_position_embeddings=8,
)
LABELS = ["O", "B", "I"]
STEP = Path("checkpoints") / "0"


def made(groups=("encoder", "classifier"), change=None) -> Checkpoint:
    params: dict = {}
    for path, shape in layout.leaf_shapes(CONFIG, len(LABELS)).items():
        if path[0] in groups:
            node = params
            for key in path[:-1]:
                node = node.setdefault(key, {})
            node[path[-1]] = np.full(shape, 0.5, np.float32)
    if change is not None:
        change(params)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "##b"]
    return Checkpoint(CONFIG, params, pieces, False, LABELS, "made up")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "run"
    write_workdir(folder, made())
    return folder


@pytest.fixture
def run(whole, tmp_path) -> Path:
    return shutil.copytree(whole, tmp_path / "run")


def refusal(action) -> str:
    with pytest.raises(UserError) as raised:
        action()
    message = str(raised.value)
    assert "\n" not in message
    assert len(message) < 1500
    return message


def holding(name, content: bytes | str):
    def change(run: Path) -> None:
        (run / name).write_bytes(content.encode() if isinstance(content, str) else content)

    return change


def flip(name):
    def change(run: Path) -> None:
        data = bytearray((run / name).read_bytes())
        data[len(data) // 2] ^= 4
        (run / name).write_bytes(data)

    return change


def cut(name):
    return lambda run: (run / name).write_bytes((run / name).read_bytes()[:-9])


def gone(name):
    def change(run: Path) -> None:
        shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()

    return change


def card(**changes):
    """Changes the card; None removes. Without checksums, as an older version saved it."""

    def change(run: Path) -> None:
        path = run / STEP / "card" / "metadata"
        values = json.loads(path.read_text()) | changes
        path.write_text(json.dumps({k: v for k, v in values.items() if v is not None}))
        (run / STEP / "SHA256SUMS").unlink()

    return change


def architecture(**changes):
    return card(architecture=CONFIG.to_dict() | changes)


def old(change):
    """The same in a checkpoint of an older version, which has no checksums."""

    def changed(run: Path) -> None:
        (run / STEP / "SHA256SUMS").unlink()
        change(run)

    return changed


STATE, CARD = STEP / "state", STEP / "card" / "metadata"
FILES = [STATE / "_METADATA", STATE / "manifest.ocdbt", CARD, STEP / "_CHECKPOINT_METADATA"]

DAMAGED = [
    *[(flip(name), str(name)) for name in FILES],
    *[(cut(name), str(name)) for name in FILES],
    *[(gone(name), str(name)) for name in FILES],
    *[(holding(name, ""), str(name)) for name in FILES],
    (gone(STATE), str(STATE)),
    (gone(STEP / "position"), "position"),
    (flip(STEP / "SHA256SUMS"), str(STEP)),
    (holding(STEP / "SHA256SUMS", "nonsense\n"), "no list of checksums"),
    (holding(STEP / "SHA256SUMS", b"\xff\xfe"), "SHA256SUMS"),
    # Without checksums it is Orbax that notices.
    (old(cut(CARD)), str(STEP)),
    (old(holding(CARD, "")), str(STEP)),
    (old(holding(CARD, "[]")), "its card is list"),
    (old(gone(CARD)), str(STEP)),
    (old(gone(STATE)), str(STEP)),
    (old(gone(STATE / "_METADATA")), str(STEP)),
    (old(holding(STATE / "_METADATA", "{}")), str(STEP)),
    (old(holding(STATE / "_METADATA", '{"tree_metadata": 7}')), str(STEP)),
    (old(cut(STATE / "manifest.ocdbt")), str(STEP)),
    (old(gone(STATE / "manifest.ocdbt")), str(STEP)),
    (card(architecture=None), "the card has no architecture"),
    (card(vocabulary="abc"), "card's vocabulary is 'abc'; expected a list of strings"),
    (card(vocabulary=[1, 2, 3]), "card's vocabulary is [1, 2, 3]; expected a list of strings"),
    (card(vocabulary=["[PAD]"] * 6), "6 vocabulary entries, but the embedding matrix has 7 rows"),
    (card(lowercase="yes"), "card's lowercase is 'yes'; expected true or false"),
    (card(labels=["O", "B"]), "2 labels for a classifier of 3 outputs"),
    (card(labels=[1, 2, 3]), "card's labels is [1, 2, 3]"),
    (card(trials=["seed-1"]), "holds 1 trials, not a model"),
    (architecture(num_hidden_layers=10**9), "num_hidden_layers is 1000000000"),
    (architecture(num_hidden_layers=3), "misshapen"),
    (architecture(num_attention_heads=3), "not a multiple of num_attention_heads 3"),
    (architecture(hidden_act=None), "hidden_act is None"),
    (gone(STEP), "no finished checkpoint; found none"),
    (gone("checkpoints"), "no finished checkpoint"),
    (holding("results.json", ""), "results.json"),
    (holding("results.json", '{"step": 0'), "results.json:1: the JSON ends in the middle"),
    (holding("results.json", "[]"), "found list; expected a JSON object"),
    (holding("results.json", '{"step": "last"}'), "step is 'last'; expected a number"),
    (holding("results.json", '{"step": 400}'), "no finished checkpoint of step 400; found [0]"),
    (holding("results.json", '{"step": true}'), "step is True"),
    (holding("results.json", '{"step": 0, "tuned": [1]}'), "`tuned` is [1]"),
    (holding("results.json", '{"step": 0, "tuned": {"a": 1}}'), "`tuned` is {'a': 1}"),
    (holding("results.json", b"\xff"), "results.json"),
]


@pytest.mark.parametrize(("change", "words"), DAMAGED)
def test_a_damaged_workdir_is_not_read(run, change, words):
    change(run)
    message = refusal(lambda: read_workdir(run))
    assert words in message
    assert str(run) in message


def test_the_workdir_is_good_to_begin_with(run):
    """Else every row above would pass for another reason."""
    read = read_workdir(run)
    assert (read.config, read.labels) == (CONFIG, LABELS)
    jax.tree.map(np.testing.assert_array_equal, read.params, made().params)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda a: np.where(np.arange(a.size).reshape(a.shape) == 3, np.nan, a), "1 of 32 values"),
        (lambda a: np.full_like(a, np.inf), "32 of 32 values are NaN or infinite"),
        (lambda a: a.astype(np.int32), "type int32"),
        (lambda a: a > 0, "type bool"),
        (lambda a: a.astype(np.complex64), "type complex64"),
        (lambda a: a[:1], "misshapen: encoder/layers/attention/output/kernel"),
    ],
)
def test_values_that_are_no_weights(tmp_path, make, words):
    def change(params) -> None:
        output = params["encoder"]["layers"]["attention"]["output"]
        output["kernel"] = make(output["kernel"])

    write_workdir(tmp_path / "run", made(change=change))
    message = refusal(lambda: read_workdir(tmp_path / "run"))
    assert words in message
    assert "encoder/layers/attention/output/kernel" in message


# ---- Resuming.


def state() -> TrainState:
    return TrainState(jnp.int32(4), {"kernel": jnp.ones((20, 3))}, {"mu": jnp.ones((20, 3))})


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "run"
    checkpoints = Checkpoints(folder, asynchronous=False)
    checkpoints.save(state(), {"data": {"next_index": 4}}, {"task": "ner"}, score=50.0)
    checkpoints.close()
    return folder


RESUMED = Path("checkpoints") / "4"


def unlisted(change):
    def changed(run: Path) -> None:
        (run / RESUMED / "SHA256SUMS").unlink()
        change(run)

    return changed


@pytest.mark.parametrize(
    "change",
    [
        flip(RESUMED / "position" / "metadata"),
        cut(RESUMED / "metrics" / "metrics"),
        gone(RESUMED / "position"),
        gone(RESUMED / "state"),
        unlisted(gone(RESUMED / "state")),
        unlisted(gone(RESUMED / "position")),
        unlisted(cut(RESUMED / "position" / "metadata")),
        unlisted(holding(RESUMED / "position" / "metadata", "[]")),
        unlisted(holding(RESUMED / "state" / "_METADATA", "{}")),
        unlisted(holding(RESUMED / "state" / "manifest.ocdbt", "")),
        unlisted(cut(RESUMED / "metrics" / "metrics")),
        unlisted(holding(RESUMED / "metrics" / "metrics", "[]")),
        unlisted(holding(RESUMED / "metrics" / "metrics", '{"score": "good"}')),
    ],
)
def test_a_damaged_checkpoint_is_not_resumed(trained, tmp_path, change, capfd):
    run = shutil.copytree(trained, tmp_path / "run")
    change(run)
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    abstract = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), state()
    )

    def resume() -> None:
        checkpoints = Checkpoints(run)
        try:
            checkpoints.best()
            checkpoints.restore(checkpoints.latest(), abstract)
        finally:
            checkpoints.close()

    with pytest.raises(CheckpointError):
        resume()
    assert str(run / "checkpoints") in refusal(resume)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"score": "good"}', b"\xff"])
def test_a_damaged_score_is_not_the_best(trained, tmp_path, content):
    run = shutil.copytree(trained, tmp_path / "run")
    assert find_step(run, "best") == 4
    holding(RESUMED / "metrics" / "metrics", content)(run)
    assert str(run / RESUMED) in refusal(lambda: find_step(run, "best"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", "", "config.json"),
        ("config.json", '{"seed": 0', "config.json:1: the JSON ends in the middle"),
        ("config.json", "[]", "not the config of a run, but a list"),
        ("config.json", "{}", "seed is None there and 7 here"),
        ("config.json", '{"model_type": "bert"}', "belongs to another config"),
        ("config.json", b"\xff", "config.json"),
        ("environment.json", '[{"python"', "environment.json:1"),
        ("environment.json", b"\xff", "environment.json"),
        ("environment.json", '{"jax": NaN}', "found NaN"),
    ],
)
def test_a_damaged_record_of_a_run(tmp_path, name, content, words):
    config = ml_collections.ConfigDict({"seed": 7})
    prepare(tmp_path, config)
    holding(name, content)(tmp_path)
    message = refusal(lambda: prepare(tmp_path, config))
    assert words in message
    assert message.startswith(str(tmp_path))


def test_a_workdir_that_is_a_file(tmp_path):
    (tmp_path / "run").write_text("precious")
    config = ml_collections.ConfigDict({"seed": 7})
    assert str(tmp_path / "run") in refusal(lambda: prepare(tmp_path / "run", config))
    assert str(tmp_path / "run") in refusal(lambda: write_workdir(tmp_path / "run", made()))
    assert (tmp_path / "run").read_text() == "precious"
