"""Models of the Hugging Face hub, fetched once into its cache."""

import dataclasses
from pathlib import Path

from biobert_jax.errors import CheckpointError
from biobert_jax.interop.checkpoint import Checkpoint
from biobert_jax.interop.huggingface import read_huggingface
from biobert_jax.interop.tensor_files import FILES, find_weights

SCHEME = "hf://"

_TOKENIZER = ["config.json", "vocab.txt", "tokenizer.json", "tokenizer_config.json"]


def read_hub(identifier: str) -> Checkpoint:
    """Reads `hf://owner/name[@revision]`; a revision is a branch, a tag or a commit.

    Only the files that `read_huggingface` wants are fetched, and pytorch_model.bin only where there
    is no model.safetensors. What is in the cache already needs no network. HF_ENDPOINT, HF_HOME,
    HF_TOKEN and HF_HUB_OFFLINE mean what they mean to huggingface_hub.

    Raises:
      CheckpointError: no such repository or revision, no access, or no network; or the files are
        not a BERT checkpoint.
    """
    # Takes a third of a second, which `--help` should not wait for.
    from huggingface_hub import snapshot_download

    repository, _, revision = identifier.removeprefix(SCHEME).partition("@")
    for weights in FILES:
        stem, suffix = weights.split(".")
        patterns = [weights, f"{weights}.index.json", f"{stem}-*-of-*.{suffix}"]
        try:
            folder = snapshot_download(
                repository, revision=revision or None, allow_patterns=_TOKENIZER + patterns
            )
        except Exception as error:  # the library's own, httpx's, and what a proxy raises
            raise CheckpointError(
                f"{identifier}: cannot be fetched from the Hugging Face hub "
                f"({type(error).__name__}: {_in_short(error)}). Expected {SCHEME}owner/name"
                "[@revision] of a repository that exists; without a network, give the folder of a "
                "downloaded copy"
            ) from error
        if find_weights(Path(folder)):
            break
    return dataclasses.replace(read_huggingface(folder), source=identifier)


def _in_short(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else f"{text[:300]} ..."
