"""Fine-tunes and scores named entity recognition.

python -m experiments.ner --config=configs/ner/ncbi_disease.py --workdir=runs/ncbi \
    --config.init=INIT --config.dataset.path=DIR --config.seed=1
"""

from pathlib import Path

from experiments import common


def main(argv):
    del argv
    # Heavy imports wait until the flags are read, so that --help answers at once.
    from biobert_jax.errors import told_to_user

    with told_to_user():
        run(common.CONFIG.value, Path(common.WORKDIR.value))


def run(config, workdir):
    from biobert_jax.reports.tables import print_ner_scores

    results = train(config, workdir)
    if results is not None:
        print_ner_scores(results)


def train(config, workdir):
    """Returns what results.json says; None where SIGTERM ended the run early."""
    from biobert_jax.datasets.conll import label_set
    from biobert_jax.datasets.ner import load_splits
    from biobert_jax.models.heads import TokenClassifier
    from biobert_jax.tasks.ner import NerTask, Windowing
    from biobert_jax.text.casing import warn_of_capitals
    from biobert_jax.text.word_joining import joining_characters
    from biobert_jax.training import trials
    from biobert_jax.training.loop import train_and_evaluate

    common.setup()
    splits = load_splits(**config.dataset)
    labels = label_set(splits["train"], config.dataset.scheme)
    start = common.start(config, lambda: (" ".join(s.words) for s in splits["train"]))
    warn_of_capitals((" ".join(s.words) for s in splits["train"]), start.tokenizer.lowercase)
    model = TokenClassifier(
        start.architecture,
        common.compute(config),
        num_labels=len(labels),
        classifier_dropout=config.model.dropout,
    )
    task = NerTask(
        splits,
        labels,
        start.tokenizer,
        model,
        Windowing(**config.windows),
        common.card(
            start,
            "ner",
            labels=labels,
            windows=config.windows.to_dict(),
            joining=joining_characters(s.words for s in splits["train"]),
        ),
    )
    initial = common.initial_params(start, labels)
    if asked := trials.grid(config):
        together = [trials.Trial(name, of_trial, task) for name, of_trial in asked]
        write = common.write_results
        results = trials.train_trials(config, together, workdir, initial, write)
    else:
        results = train_and_evaluate(config, task, workdir, initial)
    common.write_results(config, workdir, results)
    return results


if __name__ == "__main__":
    common.launch(main)
