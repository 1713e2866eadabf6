"""Fine-tunes and scores question answering: SQuAD, then BioASQ from its workdir.

python -m experiments.qa --config=configs/qa/squad.py --workdir=runs/squad \
    --config.init=INIT --config.dataset.path=DIR
python -m experiments.qa --config=configs/qa/bioasq_6b.py --workdir=runs/bioasq_6b \
    --config.init=runs/squad --config.dataset.path=DIR
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
    from biobert_jax.reports.tables import print_qa_scores

    results = train(config, workdir)
    if results is not None:
        print_qa_scores(results)


def train(config, workdir):
    """Returns what results.json says; None where SIGTERM ended the run early."""
    from biobert_jax.datasets.qa import load_splits
    from biobert_jax.models.heads import SequenceClassifier, SpanClassifier
    from biobert_jax.tasks.qa import QaTask
    from biobert_jax.tasks.qa_answers import Decoding
    from biobert_jax.tasks.qa_windows import Windowing
    from biobert_jax.tasks.yesno import LABELS, YesNoTask
    from biobert_jax.text.casing import warn_of_capitals
    from biobert_jax.training.loop import train_and_evaluate

    common.setup()
    splits = load_splits(**config.dataset)
    texts = dict.fromkeys(t for q in splits.questions["train"] for t in (q.context, q.text))
    start = common.start(config, lambda: texts)
    warn_of_capitals(texts, start.tokenizer.lowercase)
    compute = common.compute(config)
    windowing = Windowing(**config.windows)
    kind = config.dataset.kind
    settings = {"kind": kind, "windows": config.windows.to_dict()}
    if kind == "yesno":
        head = {"classifier_dropout": config.model.dropout}
        model = SequenceClassifier(start.architecture, compute, **head)
        card = common.card(start, "qa", labels=list(LABELS), **settings)
        task = YesNoTask(splits, start.tokenizer, model, windowing, card)
    else:
        model = SpanClassifier(start.architecture, compute)
        card = common.card(start, "qa", decoding=config.decoding.to_dict(), **settings)
        decoding = Decoding(**config.decoding)
        task = QaTask(splits, kind, start.tokenizer, model, windowing, decoding, card)
    initial = common.initial_params(start, LABELS if kind == "yesno" else None)
    results = train_and_evaluate(config, task, workdir, initial)
    if results is not None and kind == "list" and "validation" in results:
        # Found after the last checkpoint was written, whose card has the one to start with.
        results["tuned"] = {"decoding": {"threshold": results["validation"]["threshold"]}}
    common.write_results(config, workdir, results)
    return results


if __name__ == "__main__":
    common.launch(main)
