"""The commands that hand a model on with a card: `biobert convert` and `biobert push`."""

import argparse
import contextlib
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING

from biobert_jax.errors import CheckpointError, UserError
from biobert_jax.files import local_only, read_bytes, read_json, to_path, write_text, writing
from biobert_jax.inference import convert as conversion
from biobert_jax.training.checkpoint_index import split_name

if TYPE_CHECKING:
    from biobert_jax.interop.checkpoint import Checkpoint

logger = logging.getLogger("biobert_jax")

_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_LICENSE = re.compile(r"[a-z0-9][a-z0-9.+-]*")


def convert(args: argparse.Namespace) -> None:
    """Writes the model in another form, with a card of what it was made of."""
    from biobert_jax.reports.model_card import write_model_card

    checkpoint = conversion.convert(args)
    write_model_card(to_path(args.to), _workdir(args.source), _described(checkpoint))


def declare_push(parser: argparse.ArgumentParser) -> None:
    conversion.declare_source(parser)
    parser.add_argument("--to", required=True, metavar="DIR", help="a new folder")
    parser.add_argument(
        "--license",
        required=True,
        metavar="ID",
        help="of the weights, as the hub names it: apache-2.0, cc-by-4.0, other, ... The terms of "
        "the initial model and of the training data bind you",
    )
    parser.add_argument("--license-file", metavar="FILE", help="its text, which becomes LICENSE")
    parser.add_argument(
        "--upload",
        metavar="OWNER/NAME",
        help="upload the folder to this repository of the Hugging Face hub (HF_TOKEN, or `hf auth "
        "login`); without this nothing leaves the machine",
    )
    parser.add_argument("--private", action="store_true", help="make a new repository private")


def push(args: argparse.Namespace) -> None:
    """Writes a folder as the hub has it, and uploads it where asked."""
    from biobert_jax.reports.hub_card import Publication, hub_readme
    from biobert_jax.reports.model_card import FILE, model_card, run_of

    if not _LICENSE.fullmatch(args.license):
        raise UserError(
            f"--license {args.license!r}: expected an identifier of the hub in small letters, such "
            "as apache-2.0, mit, cc-by-4.0, cc-by-nc-4.0 or other"
        )
    if args.upload is not None and not _REPOSITORY.fullmatch(args.upload):
        raise UserError(f"--upload {args.upload!r}: expected OWNER/NAME of a repository of the hub")
    if args.private and args.upload is None:
        raise UserError("--private: of a repository; expected --upload OWNER/NAME, too")
    text = read_bytes(args.license_file, limit=2**20) if args.license_file else None
    args.format, args.vocab = "huggingface", None
    checkpoint = conversion.convert(args)
    folder, workdir = local_only(args.to, "--to of push"), _workdir(args.source)
    card = model_card(run_of(workdir) if workdir else None, _described(checkpoint))
    architecture = read_json(folder / "config.json")["architectures"][0]
    said = Publication(
        args.upload or str(folder), architecture, args.license, _base_model(workdir, args.source)
    )
    write_text(folder / FILE, card)
    write_text(folder / "README.md", hub_readme(said, card))
    if text is not None:
        with writing(folder):
            (folder / "LICENSE").write_bytes(text)
    else:
        logger.info("%s: no LICENSE file; --license-file adds one", folder)
    if args.upload is None:
        logger.info("%s: nothing was uploaded; --upload OWNER/NAME does", folder)
        return
    logger.info("%s: uploaded, %s", folder, upload(folder, args.upload, args.private))


def upload(folder: Path, repository: str, private: bool) -> str:
    """Uploads a folder to the hub; a repository that does not exist is made.

    Returns:
      The address of the commit.

    Raises:
      CheckpointError: the hub cannot be reached, or refuses. The folder stays.
    """
    from huggingface_hub import HfApi

    try:
        api = HfApi()
        api.create_repo(repository, private=private, exist_ok=True)
        done = api.upload_folder(
            folder_path=folder, repo_id=repository, commit_message="Model of biobert_jax"
        )
    except Exception as error:  # the library's own, httpx's, and what a proxy raises
        said = " ".join(str(error).split())
        raise CheckpointError(
            f"{repository}: cannot be uploaded to the Hugging Face hub ({type(error).__name__}: "
            f"{said[:300]}). {folder} is complete: set HF_TOKEN to a token that may write there "
            f"(or `hf auth login`), then `hf upload {repository} {folder}`"
        ) from error
    return str(done.commit_url)


def _described(checkpoint: "Checkpoint"):
    from biobert_jax.reports.model_card import Model

    return Model(
        source=checkpoint.source,
        architecture={
            "model_type": checkpoint.config.model_type,
            **checkpoint.config.to_dict(),
        },
        vocabulary_size=len(checkpoint.vocabulary),
        lowercase=checkpoint.lowercase,
        parts=list(checkpoint.params),
        labels=checkpoint.labels,
    )


def _workdir(source: str) -> Path | None:
    path = to_path(split_name(source)[0])
    return path if (path / "config.json").is_file() else None


def _base_model(workdir: Path | None, source: str) -> str | None:
    """owner/name of the hub that a run started from, or that was converted."""
    init: object = source
    with contextlib.suppress(UserError):
        init = read_json(workdir / "config.json").get("init", source) if workdir else source
    name = str(init).removeprefix("hf://").partition("@")[0]
    return name if str(init).startswith("hf://") else None
