"""Fine-tunes and scores relation extraction; sets in folds, all folds in one command.

python -m experiments.relation --config=configs/relation/gad.py --workdir=runs/gad \
    --config.init=INIT --config.dataset.path=DIR --config.seed=1
"""

from experiments import common


def main(argv):
    del argv
    common.run_with_flags(run)


def run(config, workdir):
    from biobert_jax.reports.tables import print_relation_scores

    results = train(config, workdir)
    if results is not None:
        print_relation_scores(results)


def train(config, workdir):
    """Returns what results.json says; None where SIGTERM ended the run early."""
    common.setup()
    from biobert_jax.datasets.relation import fold_numbers
    from experiments import runs

    folds = fold_numbers(config.dataset.name, config.dataset.path, config.dataset.fold)
    return runs.train(config, workdir, prepare, folds)


def prepare(config):
    """The pairs, the classes and the model of a config, which names a fold where there are any."""
    from biobert_jax.datasets.relation import load_relations
    from biobert_jax.models.heads import SequenceClassifier
    from biobert_jax.tasks.relation import RelationTask, Windowing
    from biobert_jax.text.casing import warn_of_capitals
    from experiments import starting
    from experiments.runs import Prepared

    data = load_relations(**config.dataset)
    start = starting.start(config, lambda: (e.text for e in data.splits["train"]))
    warn_of_capitals((e.text for e in data.splits["train"]), start.tokenizer.lowercase)
    head = {"num_labels": len(data.labels), "classifier_dropout": config.model.dropout}
    model = SequenceClassifier(start.architecture, starting.compute(config), **head)
    windows = config.windows.to_dict()
    settings = {"windows": windows, "marking": config.dataset.marking}
    card = start.card("relation", labels=data.labels, scored=data.scored, **settings)
    task = RelationTask(data, start.tokenizer, model, Windowing(**windows), card)
    initial = start.initial_params(data.labels)
    return Prepared(task, initial, lambda results: results | {"data": data.facts})


if __name__ == "__main__":
    common.launch(main)
