"""Fine-tunes and scores named entity recognition.

python -m experiments.ner --config=configs/ner/ncbi_disease.py --workdir=runs/ncbi \
    --config.init=INIT --config.dataset.path=DIR --config.seed=1
"""

from experiments import common


def main(argv):
    del argv
    common.run_with_flags(run)


def run(config, workdir):
    from biobert_jax.reports.tables import print_ner_scores

    results = train(config, workdir)
    if results is not None:
        print_ner_scores(results)


def train(config, workdir):
    """Returns what results.json says; None where SIGTERM ended the run early."""
    common.setup()
    from experiments import runs

    return runs.train(config, workdir, prepare)


def prepare(config):
    """The sentences, the labels and the model of a config."""
    from biobert_jax.datasets.conll import label_set
    from biobert_jax.datasets.ner import load_splits
    from biobert_jax.models.heads import TokenClassifier
    from biobert_jax.tasks.ner import NerTask, Windowing
    from biobert_jax.text.casing import warn_of_capitals
    from biobert_jax.text.word_joining import joining_characters
    from experiments import starting
    from experiments.runs import Prepared

    splits = load_splits(**config.dataset)
    labels = label_set(splits["train"], config.dataset.scheme)
    start = starting.start(config, lambda: (" ".join(s.words) for s in splits["train"]))
    warn_of_capitals((" ".join(s.words) for s in splits["train"]), start.tokenizer.lowercase)
    head = {"num_labels": len(labels), "classifier_dropout": config.model.dropout}
    model = TokenClassifier(start.architecture, starting.compute(config), **head)
    windows = config.windows.to_dict()
    joining = joining_characters(s.words for s in splits["train"])
    card = start.card("ner", labels=labels, windows=windows, joining=joining)
    task = NerTask(splits, labels, start.tokenizer, model, Windowing(**windows), card)
    return Prepared(task, start.initial_params(labels))


if __name__ == "__main__":
    common.launch(main)
