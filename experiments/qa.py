"""Fine-tunes and scores question answering: SQuAD, then BioASQ from its workdir.

python -m experiments.qa --config=configs/qa/squad.py --workdir=runs/squad \
    --config.init=INIT --config.dataset.path=DIR
python -m experiments.qa --config=configs/qa/bioasq_6b.py --workdir=runs/bioasq_6b \
    --config.init=runs/squad --config.dataset.path=DIR
"""

from experiments import common


def main(argv):
    del argv
    common.run_with_flags(run)


def run(config, workdir):
    from biobert_jax.reports.tables import print_qa_scores

    results = train(config, workdir)
    if results is not None:
        print_qa_scores(results)


def train(config, workdir):
    """Returns what results.json says; None where SIGTERM ended the run early."""
    common.setup()
    from experiments import runs

    return runs.train(config, workdir, prepare)


def prepare(config):
    """The questions of a config's kind, and the model that answers them."""
    from biobert_jax.datasets.qa import load_splits
    from biobert_jax.models.heads import SequenceClassifier, SpanClassifier
    from biobert_jax.tasks.qa.answers import Decoding
    from biobert_jax.tasks.qa.task import QaTask
    from biobert_jax.tasks.qa.windows import Windowing
    from biobert_jax.tasks.qa.yesno import LABELS, YesNoTask
    from biobert_jax.text.casing import warn_of_capitals
    from experiments import starting
    from experiments.runs import Prepared

    splits = load_splits(**config.dataset)
    texts = dict.fromkeys(t for q in splits.questions["train"] for t in (q.context, q.text))
    start = starting.start(config, lambda: texts)
    warn_of_capitals(texts, start.tokenizer.lowercase)
    compute = starting.compute(config)
    windowing = Windowing(**config.windows)
    kind = config.dataset.kind
    settings = {"kind": kind, "windows": config.windows.to_dict()}
    if kind == "yesno":
        head = {"classifier_dropout": config.model.dropout}
        model = SequenceClassifier(start.architecture, compute, **head)
        card = start.card("qa", labels=list(LABELS), **settings)
        task = YesNoTask(splits, start.tokenizer, model, windowing, card)
        return Prepared(task, start.initial_params(LABELS))
    model = SpanClassifier(start.architecture, compute)
    card = start.card("qa", decoding=config.decoding.to_dict(), **settings)
    decoding = Decoding(**config.decoding)
    task = QaTask(splits, kind, start.tokenizer, model, windowing, decoding, card)
    return Prepared(task, start.initial_params(), with_tuned)


def with_tuned(results):
    """Adds a threshold found after the last checkpoint was written, whose card has another."""
    found = results.get("validation", {}).get("threshold")
    return results if found is None else results | {"tuned": {"decoding": {"threshold": found}}}


if __name__ == "__main__":
    common.launch(main)
