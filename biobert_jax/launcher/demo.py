"""The demonstration: from PubMed files to entities in text, on generated data."""

import logging
import sys
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from biobert_jax.configuration import files
from biobert_jax.launcher.flags import launch_program
from biobert_jax.training.huge_pages import use_huge_pages

SENTENCES = (
    "Severe Wendoid fever resolved after six weeks of toravumab.",
    "Loss of ZNT21 was associated with lipoedema of the scalp, whereas plate ZNT21 was read twice.",
    "Long-term use of silver led to juvenile brackian dystrophy (JBD) in one third of children.",
    "Quiloratinib was effective against stroke, although stroke volume was measured in 40 women.",
)


def launch() -> NoReturn:
    """Reads the flags and shows the demonstration, in a new folder unless --workdir names one."""
    use_huge_pages()  # starts this process again: before the folder is made
    flags = [f"--config={files.root() / 'demo.py'}"]
    if not any(argument.lstrip("-").startswith("workdir") for argument in sys.argv[1:]):
        flags.append(f"--workdir={tempfile.mkdtemp(prefix='biobert-demo-')}")
    sys.argv[1:1] = flags
    launch_program(run)


def run(config: Any, workdir: Path) -> None:
    from biobert_jax.datasets.ner import load_splits
    from biobert_jax.datasets.synthetic.corpus import documents
    from biobert_jax.evaluation.baselines import Dictionary, majority
    from biobert_jax.evaluation.ner import read_predictions
    from biobert_jax.inference.formats.terminal import terminal_text
    from biobert_jax.inference.model import load
    from biobert_jax.launcher import train
    from biobert_jax.reports import demo as show
    from biobert_jax.training.workdir import prepare

    logging.disable(logging.INFO)  # the progress line is enough for visitors
    prepare(workdir, config)
    pretraining, finetuning = config.pretraining, config.ner
    pretraining.seed = finetuning.seed = config.seed

    shards = workdir / "shards"
    if not (shards / "manifest.json").exists():
        make_corpora(config, workdir, shards)
    show.abstracts(workdir / "pubmed", shards)
    pretraining.dataset.corpora = ((str(shards), 1.0),)
    finished = train.run(pretraining, workdir / "pretraining")
    if finished is None:
        return  # ended by SIGTERM: the same command resumes

    finetuning.dataset.path = str(workdir / "labelled")
    sentences = load_splits(**finetuning.dataset)["train"]
    show.sentences(sentences)
    finetuning.vocab = str(shards / "vocab.txt")
    for name, init in (("ner-random", "random"), ("ner", str(workdir / "pretraining"))):
        finetuning.init = init
        if train.train(finetuning, workdir / name) is None:
            return

    words, gold, scratch = read_predictions(workdir / "ner-random" / "predictions" / "test.conll")
    _, _, pretrained = read_predictions(workdir / "ner" / "predictions" / "test.conll")
    written = documents(config.seed, config.abstracts)
    dictionary, commonest = Dictionary(sentences), majority(s.tags for s in sentences)
    show.comparison(
        sentences,
        words,
        gold,
        {
            f"majority: always {commonest}": [[commonest] * len(tags) for tags in gold],
            "dictionary of training names": [dictionary.tag(s) for s in words],
            "encoder, not pre-trained": scratch,
            "encoder, pre-trained": pretrained,
        },
        read=" ".join(s.text for d in written for s in (d.title, *d.sentences)).lower(),
    )
    model = load(str(workdir / "ner"))
    types = model.entity_types
    found = [terminal_text(d.text, d.entities, types) for d in model.annotate(SENTENCES)]
    show.annotations(found, workdir / "ner")


def make_corpora(config: Any, workdir: Path, shards: Path) -> None:
    """Writes PubMed files and labelled sentences, and makes shards of the former."""
    from biobert_jax.corpora.build.pipeline import BuildOptions, build_corpus
    from biobert_jax.corpora.domain_vocabulary import train_from_files
    from biobert_jax.corpora.readers.inputs import ReaderOptions
    from biobert_jax.datasets.synthetic.corpus import documents, ner_splits
    from biobert_jax.datasets.synthetic.files import write_ner, write_pubmed

    sizes = {"train": config.sentences, "devel": config.sentences, "test": config.test_sentences}
    write_ner(workdir / "labelled", ner_splits(config.seed, **sizes))
    files = write_pubmed(workdir / "pubmed", documents(config.seed, config.abstracts))
    inputs, reader = [str(path) for path in files], ReaderOptions("pubmed")
    vocabulary = workdir / "vocab.txt"
    train_from_files(inputs, reader, vocabulary, size=config.vocab_size, lowercase=False)
    build_corpus(inputs, shards, BuildOptions(reader, str(vocabulary)))
