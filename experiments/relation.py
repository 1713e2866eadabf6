"""Fine-tunes and scores relation extraction; sets in folds, all folds one after the other.

python -m experiments.relation --config=configs/relation/gad.py --workdir=runs/gad \
    --config.init=INIT --config.dataset.path=DIR --config.seed=1
"""

from pathlib import Path

from experiments import common


def main(argv):
    del argv
    from biobert_jax.errors import told_to_user

    with told_to_user():
        run(common.CONFIG.value, Path(common.WORKDIR.value))


def run(config, workdir):
    from biobert_jax.reports.tables import print_relation_scores

    results = train(config, workdir)
    if results is not None:
        print_relation_scores(results)


def train(config, workdir):
    """Returns what results.json says; None where SIGTERM ended the run early."""
    from biobert_jax.datasets.relation import fold_numbers
    from biobert_jax.training.cross_validation import cross_validate

    common.setup()
    folds = fold_numbers(config.dataset.name, config.dataset.path, config.dataset.fold)
    if not folds:
        return train_once(config, workdir)
    results = cross_validate(config, workdir, folds, train_once)
    common.write_results(config, workdir, results)
    return results


def train_once(config, workdir):
    """Trains on one training split; returns what `train` does."""
    from biobert_jax.datasets.relation import load_relations
    from biobert_jax.models.heads import SequenceClassifier
    from biobert_jax.tasks.relation import RelationTask, Windowing
    from biobert_jax.text.casing import warn_of_capitals
    from biobert_jax.training.loop import train_and_evaluate

    data = load_relations(**config.dataset)
    start = common.start(config, lambda: (e.text for e in data.splits["train"]))
    warn_of_capitals((e.text for e in data.splits["train"]), start.tokenizer.lowercase)
    windows = config.windows.to_dict()
    head = {"num_labels": len(data.labels), "classifier_dropout": config.model.dropout}
    model = SequenceClassifier(start.architecture, common.compute(config), **head)
    settings = {"windows": windows, "marking": config.dataset.marking}
    card = common.card(start, "relation", labels=data.labels, scored=data.scored, **settings)
    task = RelationTask(data, start.tokenizer, model, Windowing(**windows), card)
    results = train_and_evaluate(config, task, workdir, common.initial_params(start, data.labels))
    if results is not None:
        results["data"] = data.facts
    common.write_results(config, workdir, results)
    return results


if __name__ == "__main__":
    common.launch(main)
