"""Settings have types and ranges, config files keep to them, and something reads each setting."""

import importlib.util
import inspect
import re
from pathlib import Path

import pytest

from biobert_jax.configuration import ner as ner_settings
from biobert_jax.configuration.classification import classification
from biobert_jax.configuration.ner import ner
from biobert_jax.configuration.pretraining import pretraining
from biobert_jax.configuration.qa import qa
from biobert_jax.configuration.relation import relation
from biobert_jax.configuration.settings import AXES
from biobert_jax.configuration.similarity import similarity
from biobert_jax.configuration.validate import flatten, settings_of, validate
from biobert_jax.errors import SettingError, UserError
from biobert_jax.launcher.checks import check_settings
from biobert_jax.tasks import registry

REPOSITORY = Path(__file__).resolve().parents[2]
FILES = sorted(
    path for path in (REPOSITORY / "configs").glob("*/*.py") if path.parent.name != "sweeps"
)
VARIANTS = ("", "debug", "search")
BUILDERS = {
    "ner": lambda: ner("ncbi_disease", ""),
    "relation": lambda: relation("gad", ""),
    "qa": lambda: qa("bioasq_6b", "factoid", ""),
    "classification": lambda: classification("hoc", ""),
    "similarity": lambda: similarity("biosses", ""),
    "pretraining": lambda: pretraining("", 1000),
}


def load(path: Path, variant: str):
    spec = importlib.util.spec_from_file_location("config_under_test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(variant)


def with_changes(task: str, changes):
    config = BUILDERS[task]()
    for name, value in changes.items():
        *sections, last = name.split(".")
        place = config
        for section in sections:
            place = place[section]
        with place.unlocked(), place.ignore_type():
            place[last] = value
    return config


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_config_file_and_variant_is_valid(path):
    accepted = 0
    for variant in VARIANTS:
        try:
            config = load(path, variant)
        except ValueError as error:
            assert f"variant {variant!r}" in str(error)  # noqa: PT017
            continue
        accepted += 1
        if config.dataset.name == "own":
            with pytest.raises(SettingError, match=r"config\.dataset\.path is empty"):
                check_settings(config)
            config.dataset.path = "my_folder"
        check_settings(config)
        if path.parent.name != "blurb":  # a benchmark of several tasks
            assert registry.find(config.task).command == path.parent.name
    assert accepted >= 2


@pytest.mark.parametrize("task", BUILDERS)
def test_defaults_and_schema_name_the_same_settings(task):
    known = settings_of(registry.resolve(registry.TASKS[task].schema))
    given = dict(flatten(BUILDERS[task]().to_dict()))
    assert given.keys() <= known.keys()
    assert {name for name, one in known.items() if not one.optional} <= given.keys()


@pytest.mark.parametrize("task", BUILDERS)
def test_every_setting_is_read_by_something(task):
    """Either by its name in the code, or as a parameter of what a whole section is passed to."""
    from biobert_jax.cluster.job import Timeouts
    from biobert_jax.datasets import classification as classification_data
    from biobert_jax.datasets import ner as ner_data
    from biobert_jax.datasets import qa as qa_data
    from biobert_jax.datasets import relation as relation_data
    from biobert_jax.datasets import similarity as similarity_data
    from biobert_jax.models.config import BertConfig, Compute
    from biobert_jax.tasks import ner, relation, texts
    from biobert_jax.tasks.pretraining.instances import InstanceOptions
    from biobert_jax.tasks.qa import answers, windows
    from biobert_jax.training.checkpointing import Checkpoints

    receivers = {
        "model": BertConfig, "compute": Compute, "checkpoint": Checkpoints,
        "distributed": Timeouts, "instances": InstanceOptions, "decoding": answers.Decoding,
        "dataset": {"ner": ner_data.load_splits, "qa": qa_data.load_splits,
                    "relation": relation_data.load_relations,
                    "classification": classification_data.load_classification,
                    "similarity": similarity_data.load_similarity}.get(task),
        "windows": {"ner": ner.Windowing, "qa": windows.Windowing,
                    "relation": relation.Windowing, "classification": texts.Windowing,
                    "similarity": texts.Windowing}.get(task),
    }  # fmt: skip
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for path in (REPOSITORY / "biobert_jax").rglob("*.py")
        if path.parent.name != "configuration"
    )
    for name in settings_of(registry.resolve(registry.TASKS[task].schema)):
        section, _, last = name.rpartition(".")
        receiver = receivers.get(section)
        if receiver is not None and last in inspect.signature(receiver).parameters:
            continue
        if name == "search_space":
            continue  # validate() reads it; no run does
        if section == "mesh" and last in AXES:
            assert "config.mesh[axis]" in code
        else:
            assert re.search(rf"(\.|\"){last}\b", code), name


BAD = [
    ("ner", {"dataset.limit": -5}, "config.dataset.limit is -5; expected a whole number of at le"),
    ("ner", {"dataset.limit": 1.5}, "config.dataset.limit is 1.5"),
    ("ner", {"dataset.limit": True}, "config.dataset.limit is True"),
    ("ner", {"dataset.name": ""}, "config.dataset.name is ''; expected text that is not empty"),
    ("ner", {"dataset.path": "a\0b"}, "config.dataset.path is"),
    ("ner", {"dataset.scheme": "IOB"}, "config.dataset.scheme is 'IOB'; expected one of BIO, BI"),
    ("ner", {"optimizer.learning_rate": -1e-5}, "config.optimizer.learning_rate is -1e-05"),
    ("ner", {"optimizer.learning_rate": 0.0}, "config.optimizer.learning_rate is 0.0"),
    ("ner", {"optimizer.learning_rate": float("nan")}, "config.optimizer.learning_rate is nan"),
    ("ner", {"optimizer.learning_rate": float("inf")}, "config.optimizer.learning_rate is inf"),
    ("ner", {"optimizer.clip_norm": -1.0}, "config.optimizer.clip_norm is -1.0; expected a number"),
    ("ner", {"optimizer.warmup_share": 2.0}, "config.optimizer.warmup_share is 2.0"),
    ("ner", {"optimizer.weight_decay": -0.1}, "config.optimizer.weight_decay is -0.1"),
    ("ner", {"optimizer.b1": 1.0}, "config.optimizer.b1 is 1.0"),
    ("ner", {"optimizer.eps": 0.0}, "config.optimizer.eps is 0.0"),
    ("ner", {"optimizer.name": "sgd"}, "config.optimizer.name is 'sgd'; expected one of bert, ad"),
    ("ner", {"seed": -1}, "config.seed is -1; expected a whole number of at least 0"),
    ("ner", {"seed": 2**31}, "config.seed is 2147483648"),
    ("ner", {"model.dropout": 1.0}, "config.model.dropout is 1.0; expected a number at least 0 an"),
    ("ner", {"model.num_attention_heads": 0}, "config.model.num_attention_heads is 0"),
    ("ner", {"model.num_attention_heads": 7}, "hidden_size is 768 and num_attention_heads 7"),
    ("ner", {"model.num_hidden_layers": 10**9}, "config.model.num_hidden_layers is 1000000000"),
    ("ner", {"vocab_size": 3}, "config.vocab_size is 3"),
    ("ner", {"init": ""}, "config.init is ''"),
    ("ner", {"batch.rows": -1}, "config.batch.rows is -1"),
    ("ner", {"batch.max_sequences": 0}, "config.batch.max_sequences is 0"),
    ("ner", {"batch.packed": 1}, "config.batch.packed is 1; expected True or False"),
    ("ner", {"batch.row_length": 64}, "windows.max_length is 128 and config.batch.row_length 64"),
    ("ner", {"loader.threads": -1}, "config.loader.threads is -1"),
    ("ner", {"loader.prefetch": 0}, "config.loader.prefetch is 0"),
    ("ner", {"loader.workers": 4}, "config.loader.workers is no setting"),
    ("ner", {"log_every": 0}, "config.log_every is 0; expected a whole number of at least 1"),
    ("ner", {"train.test": 0}, "config.train.test is 0; expected True or False"),
    ("ner", {"train.select": "newest"}, "config.train.select is 'newest'; expected one of last, b"),
    ("ner", {"train.select": "best"}, "config.train.select is 'best' and config.train.evaluate_ev"),
    (
        "ner",
        {"train.select": "best", "train.evaluate_every": 5},
        "config.dataset.train_on 'train+devel': a state would be selected by sentences",
    ),
    ("ner", {"train.micro_batch": "0"}, "config.train.micro_batch is '0'; expected 'all', 'auto'"),
    ("ner", {"train.epoch": 3}, "config.train.epoch is no setting; did you mean config.train.epo"),
    ("ner", {"mesh.fsdp": 0}, "config.mesh.fsdp is 0; expected a number of devices"),
    ("ner", {"mesh.fsdp": -1}, "expected -1 on one axis at most"),
    ("ner", {"mesh.rules": (("(", ()),)}, "config.mesh.rules is"),
    ("ner", {"mesh.rules": (("a", ("rows",)),)}, "config.mesh.rules is"),
    ("ner", {"compute.attention": "cudnn"}, "'cudnn', which has no dropout"),
    (
        "ner",
        {"compute.attention": "cudnn", "model.dropout": 0.0},
        "needs config.compute.dtype=bfloat16",
    ),
    (
        "ner",
        {"compute.attention": "pallas_gpu", "compute.dropout": "rbg"},
        "draws dropout by 'hash'",
    ),
    ("ner", {"compute.remat": "full", "compute.unroll": 0}, "leaves it without effect"),
    ("ner", {"windows.overlap": 126}, "windows.overlap is 126; expected less than"),
    ("ner", {"checkpoint.keep_steps": (0,)}, "config.checkpoint.keep_steps is (0,)"),
    ("ner", {"distributed.lost_timeout": -1.0}, "config.distributed.lost_timeout is -1.0"),
    ("ner", {"trials.seeds": (1, -2)}, "config.trials.seeds is (1, -2)"),
    ("ner", {"trials.at_once": 4}, "config.trials.at_once is 4, and the config names no trials"),
    ("ner", {"trials.seeds": (1, 2), "mesh.fsdp": 2}, "config.mesh.fsdp is 2 and config.trials a"),
    ("ner", {"search_space": (("optimizer.rate", (1,)),)}, "config.optimizer.rate is no setting"),
    ("ner", {"search_space": (("train.epochs", (0,)),)}, "train.epochs is 0; expected a whole"),
    ("ner", {"profile": True}, "config.profile is no setting"),
    ("relation", {"dataset.fold": "first"}, "config.dataset.fold is 'first'; expected 'all' or"),
    ("relation", {"dataset.marking": "bold"}, "config.dataset.marking is 'bold'"),
    ("relation", {"dataset.scored": ("a", 3)}, "config.dataset.scored is ('a', 3)"),
    ("classification", {"dataset.fold": 10}, "config.dataset.fold is 10; expected a whole number"),
    (
        "similarity",
        {"dataset.scale": (4.0, 0.0)},
        "config.dataset.scale is (4.0, 0.0); expec",
    ),
    ("similarity", {"dataset.scale": ("a", 1)}, "config.dataset.scale is ('a', 1)"),
    ("qa", {"decoding.n_best": 0}, "config.decoding.n_best is 0"),
    ("qa", {"decoding.threshold": 1.5}, "config.decoding.threshold is 1.5"),
    ("qa", {"windows.max_question": 0}, "config.windows.max_question is 0"),
    ("qa", {"windows.stride": 400}, "config.windows.stride is 400; expected 1 to max_length - max"),
    ("qa", {"dataset.kind": "summary"}, "config.dataset.kind is 'summary'"),
    ("qa", {"dataset.validation_share": 1.0}, "config.dataset.validation_share is 1.0"),
    ("pretraining", {"instances.masked_share": 2.0}, "config.instances.masked_share is 2.0"),
    ("pretraining", {"instances.short_probability": -0.1}, "config.instances.short_probability"),
    ("pretraining", {"dataset.max_words": -5}, "config.dataset.max_words is -5"),
    ("pretraining", {"dataset.held_out": -1}, "config.dataset.held_out is -1"),
    ("pretraining", {"dataset.corpora": (("a", -1.0),)}, "a weight of at least 0"),
    ("pretraining", {"dataset.corpora": (("a", 0.0), ("b", 0.0))}, "every weight is 0"),
    ("pretraining", {"dataset.corpora": ("a",)}, "config.dataset.corpora is ('a',)"),
    ("pretraining", {"batch.rows": 0}, "config.batch.rows is 0"),
    ("pretraining", {"train.steps": 0}, "config.train.steps is 0"),
    ("pretraining", {"train.epochs": 3}, "has no effect for this task; train.steps is the length"),
    ("pretraining", {"batch.sequences": 4}, "has no effect for this task; batch.rows is the batc"),
    ("pretraining", {"trials.seeds": (1, 2), "train.evaluate_every": 0}, "pre-training has none"),
    (
        "pretraining",
        {"init": "random", "batch.row_length": 1024},
        "config.batch.row_length is 1024 and config.model.max_position_embeddings 512",
    ),
]


@pytest.mark.parametrize(("task", "changes", "expected"), BAD, ids=[str(case[1]) for case in BAD])
def test_what_cannot_be_is_named_with_its_value(task, changes, expected):
    with pytest.raises(SettingError) as raised:
        check_settings(with_changes(task, changes))
    assert expected in str(raised.value)


def test_all_problems_are_in_one_message():
    with pytest.raises(SettingError) as raised:
        check_settings(with_changes("ner", {"seed": -1, "batch.rows": -1}))
    assert "config.seed is -1" in str(raised.value)
    assert "config.batch.rows is -1" in str(raised.value)


def test_a_missing_setting_is_named():
    config = BUILDERS["ner"]()
    del config.batch["rows"]
    with pytest.raises(SettingError, match=r"config\.batch\.rows is missing"):
        check_settings(config)


def test_a_config_without_a_task_is_refused():
    config = BUILDERS["ner"]()
    del config["task"]
    with pytest.raises(UserError, match=r"config\.task is None; expected one of"):
        check_settings(config)


def test_sharding_rules_survive_a_round_trip_through_json():
    """Lists in place of tuples, as a config.json gives them."""
    config = with_changes("ner", {"mesh.rules": [["bias$", []], ["kernel$", [None, "fsdp"]]]})
    validate(config, ner_settings.SCHEMA)


def test_choices_are_those_of_the_code():
    """Named again in the table, so that a config is checked without importing JAX."""
    from biobert_jax.datasets import qa as qa_data
    from biobert_jax.models.attention import IMPLEMENTATIONS
    from biobert_jax.models.dropout import GENERATORS
    from biobert_jax.models.encoder import REMAT_POLICIES
    from biobert_jax.text.entity_marking import METHODS
    from biobert_jax.training import sharding

    def choices(task: str, name: str) -> set[str]:
        expected = settings_of(registry.resolve(registry.TASKS[task].schema))[name].expected
        return set(expected.removeprefix("one of ").split(", "))

    assert choices("ner", "compute.attention") == {"auto", *IMPLEMENTATIONS}
    assert choices("ner", "compute.dropout") == set(GENERATORS)
    assert choices("ner", "compute.remat") == set(REMAT_POLICIES)
    assert choices("relation", "dataset.marking") == set(METHODS)
    assert choices("qa", "dataset.kind") == set(qa_data.KINDS)
    assert set(AXES) == set(sharding.AXES)
