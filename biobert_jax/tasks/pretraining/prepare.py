"""From a config to a pre-training task: which corpora are read, and by which model."""

from pathlib import Path
from typing import Any

from biobert_jax.corpora import mixture
from biobert_jax.corpora.store import ShardedCorpus
from biobert_jax.errors import SettingError
from biobert_jax.files import to_path
from biobert_jax.models.heads import PretrainingModel
from biobert_jax.tasks.preparation import Prepared, Starter
from biobert_jax.tasks.pretraining.instances import InstanceOptions
from biobert_jax.tasks.pretraining.task import PretrainingCard, PretrainingTask, subset
from biobert_jax.text.wordpiece import load_vocabulary


def prepare(config: Any, start_from: Starter) -> Prepared:
    """The corpora of a config, and the model that reads them.

    From random parameters the model has the vocabulary of the first corpus, which `config.vocab`
    and `config.lowercase` are set to.

    Args:
      config: dataset, instances, batch, seed.
      start_from: resolves `config.init`.

    Raises:
      DataError: a corpus cannot be read, or has another vocabulary than the model.
    """
    folders = [folder for folder, _ in config.dataset.corpora]
    weights = [weight for _, weight in config.dataset.corpora] or [1.0]
    if folders and config.init == "random":
        _take_vocabulary(config, ShardedCorpus(folders[0]), to_path(folders[0]))
    start = start_from(mixture.generated_texts)
    corpora = mixture.open_corpora(folders, start.tokenizer)
    corpora = corpora or [mixture.generated_corpus(start.tokenizer)]
    limits = mixture.word_limits(corpora, config.dataset.max_words)
    parts = [
        subset(corpus, config.dataset.held_out, words, weight)
        for corpus, words, weight in zip(corpora, limits, weights, strict=True)
    ]
    for corpus, (training, held_out) in zip(corpora, parts, strict=True):
        if isinstance(corpus, ShardedCorpus):
            corpus.make_local(training.documents)
            corpus.make_local(held_out.documents)
    limit = config.batch.max_sequences if config.batch.packed else 1
    task = PretrainingTask(
        training=[training for training, _ in parts],
        held_out=[held_out for _, held_out in parts],
        model=PretrainingModel(start.architecture, start.compute),
        options=InstanceOptions(max_length=config.batch.row_length, **config.instances),
        vocabulary=start.tokenizer.vocabulary,
        row_length=config.batch.row_length,
        max_sequences=limit,
        card=start.card(PretrainingCard),
        seed=config.seed,
        names=_names(folders),
    )
    return Prepared(task, start.initial_params())


def _names(folders: list[str]) -> list[str]:
    """The last parts of the folders' names, or the whole ones if two end alike."""
    last = [to_path(folder).name for folder in folders]
    return last if len(set(last)) == len(last) else folders


def _take_vocabulary(config: Any, corpus: ShardedCorpus, folder: Path) -> None:
    """Sets the config's vocabulary to that of a corpus; refuses another one that a user named."""
    if config.vocab and list(load_vocabulary(config.vocab)) != list(corpus.vocabulary):
        raise SettingError(
            f"config.vocab: {config.vocab} is not the vocabulary of {folder}, whose shards hold "
            "numbers of its own pieces. Leave config.vocab out, or build the corpus with that file"
        )
    if config.lowercase and not corpus.lowercase:
        raise SettingError(
            f"config.lowercase is True, and {folder} was built cased. Leave config.lowercase out, "
            "or build the corpus with --lowercase"
        )
    config.vocab, config.lowercase = str(folder / "vocab.txt"), corpus.lowercase
