"""Pre-trains, or goes on with pre-training, on token shards.

python -m experiments.pretrain --config=configs/pretrain/biobert_v1_0_pubmed.py --workdir=runs/p \
    "--config.dataset.corpora=(('CORPUS_FOLDER', 1.0),)"
"""

from pathlib import Path

from absl import flags

from experiments import common

COMPILE_ONLY = flags.DEFINE_bool(
    "compile_only", False, "Only compile the step for --topology and print what it needs there."
)
TOPOLOGY = flags.DEFINE_string("topology", "v5e:4x8", "A TPU slice, for --compile_only.")


def main(argv):
    del argv
    common.run_with_flags(compile_step if COMPILE_ONLY.value else run)


def compile_step(config, workdir):
    """Says what the step would need on the slice `--topology`; trains nothing."""
    del workdir
    from experiments import compile_only

    compile_only.run(config, TOPOLOGY.value)


def run(config, workdir):
    common.setup()
    from biobert_jax.reports.tables import print_pretraining_scores
    from experiments import runs

    results = runs.train(config, workdir, prepare)
    if results is not None:
        print_pretraining_scores(results)


def prepare(config):
    """The corpora of a config, and the model that reads them."""
    from biobert_jax.corpora import mixture
    from biobert_jax.corpora.store import ShardedCorpus
    from biobert_jax.models.heads import PretrainingModel
    from biobert_jax.tasks.pretraining.instances import InstanceOptions
    from biobert_jax.tasks.pretraining.task import PretrainingTask, subset
    from experiments import starting
    from experiments.runs import Prepared

    folders = [folder for folder, _ in config.dataset.corpora]
    weights = [weight for _, weight in config.dataset.corpora] or [1.0]
    if folders and config.init == "random":
        config.vocab = str(Path(folders[0]) / "vocab.txt")
        config.lowercase = ShardedCorpus(folders[0]).lowercase
    start = starting.start(config, mixture.generated_texts)
    corpora = mixture.open_corpora(folders, start.tokenizer)
    corpora = corpora or [mixture.generated_corpus(start.tokenizer)]
    limits = mixture.word_limits(corpora, config.dataset.max_words)
    parts = [
        subset(corpus, config.dataset.held_out, words, weight)
        for corpus, words, weight in zip(corpora, limits, weights, strict=True)
    ]
    limit = config.batch.max_sequences if config.batch.packed else 1
    task = PretrainingTask(
        training=[training for training, _ in parts],
        held_out=[held_out for _, held_out in parts],
        model=PretrainingModel(start.architecture, starting.compute(config)),
        options=InstanceOptions(max_length=config.batch.row_length, **config.instances),
        vocabulary=start.tokenizer.vocabulary,
        row_length=config.batch.row_length,
        max_sequences=limit,
        card=start.card("pretraining"),
        seed=config.seed,
    )
    return Prepared(task, start.initial_params())


if __name__ == "__main__":
    common.launch(main)
