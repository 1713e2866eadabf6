"""MODEL_CARD.md: what a model was made of, and what whoever uses or passes it on should know.

Everything in it is read from the run's folder or from the checkpoint; what neither has is stated to
be unknown, for the owner to fill in.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from biobert_jax.errors import DataError
from biobert_jax.files import read_json, write_text
from biobert_jax.reports.pretrained import Corpus, corpora
from biobert_jax.reports.render import Table, markdown, to_markdown
from biobert_jax.reports.runs import CONFIG, RESULTS, Run, as_object, label_of_init
from biobert_jax.reports.systems import MEASURES

FILE = "MODEL_CARD.md"
UNKNOWN = "not recorded; fill in"

_LICENCES = {
    "pubmed": "PubMed abstracts: NLM's terms of use; an abstract may be its publisher's copyright",
    "pmc": "PMC Open Access Subset: each article has its own licence (CC0, CC BY, CC BY-NC, ...)",
}
_SIZES = (
    *("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads"),
    *("intermediate_size", "max_position_embeddings"),
)


class Model(NamedTuple):
    """What a checkpoint says of itself.

    Attributes:
      source: where it was read from.
      architecture: its sizes, by the names of config.json.
      vocabulary_size: of its tokens.
      lowercase: whether text is lower-cased first.
      parts: the encoder and the heads that it has.
      labels: of its classifier; None without one.
    """

    source: str
    architecture: Mapping[str, Any]
    vocabulary_size: int
    lowercase: bool
    parts: Sequence[str]
    labels: Sequence[str] | None = None


def write_model_card(folder: Path, workdir: Path | None, model: Model | None = None) -> None:
    """Writes MODEL_CARD.md.

    Args:
      folder: where to.
      workdir: of the run that made the model, where there is one.
      model: the checkpoint, where it was read.

    Raises:
      WriteError: it cannot be written.
    """
    write_text(folder / FILE, model_card(run_of(workdir) if workdir else None, model))


def model_card(run: Run | None, model: Model | None = None) -> str:
    """The card as Markdown; see `write_model_card`."""
    config = run.config if run else {}
    name = run.path.resolve().name if run else label_of_init(model.source if model else "")
    parts = [f"# Model card: {markdown(name)}", _table("Model", _model_rows(config, model))]
    if run and run.task == "pretraining":
        parts += _pretraining(run)
    elif run and run.task:
        rows = [("task", run.task), ("set", run.dataset), ("seed", run.seed)]
        rows += [("init", config.get("init", UNKNOWN)), ("steps", run.results.get("step"))]
        parts.append(_table("Fine-tuning", rows))
        parts.append(
            "The licence and the terms of the training set apply to the model as well; they are "
            f"{UNKNOWN}."
        )
    else:
        parts.append(f"Training data, steps and scores: {UNKNOWN}.")
    if run:
        parts += _scores(run)
        parts.append(_table("Made with", _environment_rows(run.path)))
    parts.append(
        "**Use.** For research on biomedical text. Not a medical device: its output is no medical "
        "advice, and it errs in ways that its scores do not show, most of all on text unlike its "
        "training and test sets."
    )
    return "\n\n".join(parts) + "\n"


def _model_rows(config: Mapping[str, Any], model: Model | None) -> list[tuple[str, Any]]:
    if model:
        rows = [(n, model.architecture[n]) for n in _SIZES if n in model.architecture]
        rows += [("vocabulary", f"{model.vocabulary_size:,} tokens"), ("parts", _list(model.parts))]
        rows.append(("text is lower-cased", "yes" if model.lowercase else "no"))
        rows += [("labels", _list(model.labels))] if model.labels else []
        return [*rows, ("converted from", model.source)]
    init = config.get("init", UNKNOWN)
    rows = [("started from", init)]
    if init == "random":
        sizes = as_object(config.get("model"))
        rows += [(name, sizes[name]) for name in _SIZES if name in sizes]
    return rows


def _pretraining(run: Run) -> list[str]:
    config, read = run.config, corpora(run)
    batch = as_object(config.get("batch"))
    positions = None
    if all(isinstance(batch.get(name), int) for name in ("rows", "row_length")):
        positions = f"{batch['rows'] * batch['row_length']:,} ({batch['rows']} rows)"
    limit = as_object(config.get("dataset")).get("max_words")
    rate = as_object(config.get("optimizer")).get("learning_rate", UNKNOWN)
    instances = as_object(config.get("instances"))
    rows = [
        ("steps", run.results.get("step")),
        ("positions per step", positions or UNKNOWN),
        ("peak learning rate", rate),
        ("masked share", instances.get("masked_share", UNKNOWN)),
        ("next-sentence prediction", "yes" if instances.get("next_sentence") else "no"),
        ("words used", f"{limit:,}" if limit else "all"),
        ("seed", run.seed),
    ]
    parts = [_table("Pre-training", rows)]
    if not read:
        parts.append("**Corpora.** The corpus that the project generates; no real text.")
        return parts
    header = ["corpus", "source", "weight", "documents", "words", "tokens", "vocabulary"]
    header += ["duplicates dropped", "left out as test data"]
    parts.append(to_markdown(Table("Corpora", header, [_corpus(c) for c in read], 2)).strip())
    parts.append(_decontamination(read))
    licences = [f"- {markdown(c.name)}: {markdown(_licence(c))}" for c in read]
    parts.append("\n".join(["**Licences of the data.**", "", *licences]))
    return parts


def _corpus(corpus: Corpus) -> list[str]:
    manifest = corpus.manifest
    vocabulary = as_object(manifest.get("vocabulary"))
    casing = "uncased" if vocabulary.get("lowercase") else "cased"
    size = vocabulary.get("size")
    dropped = as_object(manifest.get("read"))
    return [
        corpus.name,
        str(manifest.get("source", UNKNOWN)),
        f"{corpus.weight:g}",
        *(_count(manifest.get(name)) for name in ("documents", "words", "tokens")),
        f"{size:,}, {casing}" if isinstance(size, int) else UNKNOWN,
        _count(dropped.get("duplicates")),
        _count(dropped.get("excluded")),
    ]


def _decontamination(read: Sequence[Corpus]) -> str:
    without = [c.name for c in read if c.manifest and not c.manifest.get("excluded_ids")]
    unknown = [c.name for c in read if not c.manifest]
    done = [c.name for c in read if c.manifest.get("excluded_ids")]
    sentences = []
    if done:
        sentences.append(f"Documents that benchmarks test on were left out of {_list(done)}.")
    if without:
        sentences.append(
            f"None were left out of {_list(without)}: either none were found, or nobody looked "
            "(`biobert corpus decontaminate`), and scores on public test sets may be too high."
        )
    if unknown:
        sentences.append(f"Of {_list(unknown)}: {UNKNOWN}; its folder is no longer there.")
    return f"**Decontamination.** {markdown(' '.join(sentences))}"


def _licence(corpus: Corpus) -> str:
    return _LICENCES.get(corpus.manifest.get("source", ""), UNKNOWN)


def _scores(run: Run) -> list[str]:
    parts = []
    for split in ("validation", "test"):
        scores = run.scores(split)
        rows = [(MEASURES[n], f"{scores[n]:.2f}") for n in MEASURES if _number(scores.get(n))]
        if rows:
            title = "held-out documents" if run.task == "pretraining" else split
            parts.append(_table(f"Scores: {title}", rows))
    return parts


def _environment_rows(folder: Path) -> list[tuple[str, Any]]:
    try:
        found = read_json(folder / "environment.json")
    except DataError:
        return [("environment", UNKNOWN)]
    found = as_object(found)
    devices, packages = as_object(found.get("devices")), as_object(found.get("packages"))
    rows = [("devices", f"{devices.get('count', '?')} x {devices.get('kind', '?')}")]
    rows += [(name, packages[name]) for name in ("jax", "flax") if name in packages]
    return [*rows, ("commit", found.get("commit") or UNKNOWN)]


def run_of(workdir: Path) -> Run | None:
    """A run as far as its files can be read; a card is made of an unfinished one, too."""
    read = []
    for name in (CONFIG, RESULTS):
        try:
            found = read_json(workdir / name)
        except DataError:
            found = {}
        read.append(as_object(found))
    config, results = read
    if "task" not in config:
        return None
    dataset = str(results.get("dataset") or as_object(config.get("dataset")).get("name", ""))
    seed = config.get("seed", 0)
    return Run(workdir, "", str(config["task"]), dataset, seed, results, config, (workdir,))


def _table(title: str, rows: Sequence[tuple[str, Any]]) -> str:
    cells = [[name, UNKNOWN if value is None else str(value)] for name, value in rows]
    return to_markdown(Table(title, ["", ""], cells, left=2)).strip()


def _list(values: Sequence[str]) -> str:
    return ", ".join(map(str, values))


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else UNKNOWN


def _number(value: Any) -> bool:
    return isinstance(value, int | float)
