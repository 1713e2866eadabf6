"""`biobert evaluate`: scores a trained model on any file, without training."""

import argparse
from pathlib import Path
from typing import Any

from biobert_jax.errors import UserError
from biobert_jax.tasks import registry


def declare(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "--model",
        required=True,
        help="a workdir (runs/p, runs/p@500, runs/p@best), a Hugging Face folder or hf://owner/name",
    )
    parser.add_argument("--data", required=True, help="a file with gold labels, or a set's folder")
    parser.add_argument(
        "--task",
        choices=[name for name, entry in registry.TASKS.items() if entry.score],
        help="by default the one that trained it",
    )
    parser.add_argument(
        "--split", default="test", choices=("train", "devel", "test"), help="of a folder"
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="DATA=MODEL",
        help="a type or class of the data, and what the model calls it; may be repeated",
    )
    parser.add_argument("--output", help="a new folder for results.json and predictions")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")


def run(args: argparse.Namespace) -> None:
    """Scores, prints, and writes results.json and predictions if asked to.

    Raises:
      UserError: the model or the data cannot be read, or do not fit each other.
    """
    from biobert_jax.files import to_path

    rename = dict(_pair(text) for text in args.map)
    data, output = to_path(args.data), to_path(args.output) if args.output else None
    # Predictions without results.json are of a command that was stopped.
    if output is not None and output.exists() and not output.is_dir():
        raise UserError(f"--output {output}: a file; name a new folder")
    if output is not None and output.exists():
        found = [path.name for path in output.iterdir() if path.name != "predictions"]
        if found:
            raise UserError(f"--output {output}: holds {found[0]}; name a new folder")
    results = evaluate(args.model, data, args.split, rename, args.task, output, args.dtype)

    registry.resolve(registry.find(results["task"]).print_scores)(results)


def evaluate(
    source: str,
    data: Path,
    split: str = "test",
    rename: dict[str, str] | None = None,
    task: str | None = None,
    output: Path | None = None,
    dtype: str = "float32",
) -> dict[str, Any]:
    """Scores a model on the gold labels of a file.

    Args:
      source: the model, as `config.init` names it.
      data: a file, or a set's folder.
      split: of the folder.
      rename: from types or classes of the data to those of the model.
      task: a name of the registry; by default that of the model's card.
      output: a folder for results.json and predictions.
      dtype: the compute type.

    Returns:
      What results.json says.
    """
    import jax
    import optax

    from biobert_jax.configuration.defaults import defaults
    from biobert_jax.files import local, write_json
    from biobert_jax.inference.heads import params_of
    from biobert_jax.interop.load import load_checkpoint
    from biobert_jax.interop.workdir import read_workdir
    from biobert_jax.models.config import Compute
    from biobert_jax.tasks.cards import Card
    from biobert_jax.tasks.scoring import Trained
    from biobert_jax.training.evaluator import Evaluator
    from biobert_jax.training.sharding import make_mesh
    from biobert_jax.training.step import make_init

    checkpoint = load_checkpoint(source, read_workdir)
    if checkpoint is None:
        raise UserError(f"--model {source}: names no trained model; give a workdir or a folder")
    if not data.exists():
        raise UserError(f"--data {data}: no such file or folder")
    card = checkpoint.card or Card(
        architecture=checkpoint.config,
        vocabulary=checkpoint.vocabulary,
        lowercase=checkpoint.lowercase,
        labels=checkpoint.labels,
    )
    if task and card.task and task != card.task:
        raise UserError(f"--task {task}: {source} was trained for {card.task!r}; leave --task out")
    name = task or card.task
    if name not in registry.TASKS or not registry.TASKS[name].score:
        scored = ", ".join(n for n, entry in registry.TASKS.items() if entry.score)
        raise UserError(
            f"--model {source}: its task is {name or 'not known'}; expected one of {scored}. Say "
            "which with --task"
        )
    entry = registry.TASKS[name]
    trained = Trained(
        source=checkpoint.source,
        architecture=checkpoint.config,
        tokenizer=checkpoint.make_tokenizer(),
        labels=checkpoint.labels,
        card=card,
        compute=Compute(dtype=dtype),
    )
    scored = registry.resolve(entry.score)(trained, local(data), split, rename or {})
    shapes = jax.eval_shape(make_init(scored, optax.identity()), 0).params
    groups = tuple(group for group in shapes if group != "encoder")
    params = params_of(checkpoint, f"head for {entry.summary}", groups, entry.command)
    config = defaults()
    longest = max((len(example["input_ids"]) for example in scored.examples("test")), default=1)
    config.batch.row_length = max(longest, config.batch.row_length)
    mesh = make_mesh()
    with jax.set_mesh(mesh):
        found = Evaluator(config, scored, mesh)(params, "test", output)
    results = {
        "task": name,
        "dataset": (data.resolve().parent if data.is_file() else data.resolve()).name,
        "model": checkpoint.source,
        "data": str(data),
        "split": split,
        "test": found,
    }
    if output is not None:
        write_json(output / "results.json", results)
    return results


def _pair(text: str) -> tuple[str, str]:
    theirs, equals, ours = text.partition("=")
    if not equals:
        raise UserError(f"--map {text}: expected DATA=MODEL, such as --map DiseaseClass=Disease")
    return theirs, ours
