"""Shows named entity recognition from nothing: no download, no pre-trained model, a few minutes.

python -m experiments.demo [--workdir=runs/demo]

Any setting of configs/ner/demo.py can be given, such as --config.seed=1.
"""

import logging
import sys
import tempfile
from pathlib import Path

from biobert_jax.training.memory import use_huge_pages
from experiments import common, ner

CONFIG = Path(__file__).parent.parent / "configs" / "ner" / "demo.py"

SENTENCES = (
    "Severe Wendoid fever resolved after six weeks of toravumab.",
    "Loss of ZNT21 was associated with lipoedema of the scalp, whereas plate ZNT21 was read twice.",
    "Long-term use of silver led to juvenile brackian dystrophy (JBD) in one third of children.",
    "Quiloratinib was effective against stroke, although stroke volume was measured in 40 women.",
)


def main(argv):
    del argv
    from biobert_jax.errors import told_to_user

    with told_to_user():
        run(common.CONFIG.value, Path(common.WORKDIR.value))


def run(config, workdir):
    from biobert_jax.datasets.ner import load_splits
    from biobert_jax.evaluation.baselines import Dictionary, majority
    from biobert_jax.evaluation.ner import read_predictions
    from biobert_jax.inference.annotate import annotate, load_annotator
    from biobert_jax.inference.display import terminal_text
    from biobert_jax.interop.workdir import read_workdir
    from biobert_jax.reports import demo as show

    train = load_splits(**config.dataset)["train"]
    show.corpus(train)
    for room in ("tasks", "training"):  # the progress line tells visitors enough
        logging.getLogger(f"biobert_jax.{room}").setLevel(logging.WARNING)
    if ner.train(config, workdir) is None:
        return

    words, gold, predicted = read_predictions(workdir / "predictions" / "test.conll")
    dictionary, commonest = Dictionary(train), majority(sentence.tags for sentence in train)
    show.comparison(
        train,
        words,
        gold,
        {
            f"majority: always {commonest}": [[commonest] * len(tags) for tags in gold],
            "dictionary: names seen in training": [dictionary.tag(s) for s in words],
            "fine-tuned encoder": predicted,
        },
    )
    annotator = load_annotator(str(workdir), read_workdir)
    found = zip(SENTENCES, annotate(annotator, SENTENCES), strict=True)
    show.annotations([terminal_text(*one, annotator.types) for one in found], workdir)


if __name__ == "__main__":
    use_huge_pages()
    folder = tempfile.mkdtemp(prefix="biobert-demo-")
    sys.argv[1:1] = [f"--config={CONFIG}", f"--workdir={folder}"]
    common.launch(main)
