"""The command `biobert export`."""

import argparse
import logging

from biobert_jax.errors import UserError
from biobert_jax.files import new_folder
from biobert_jax.inference.convert import FIRST_PIECES, declare_source, read_source
from biobert_jax.inference.output import check_output

PLATFORMS = ("cpu", "cuda", "tpu")  # those of interop.stablehlo, which imports jax


def declare_export(parser: argparse.ArgumentParser) -> None:
    declare_source(parser)
    parser.add_argument("--to", required=True, metavar="DIR", help="a new folder")
    parser.add_argument("--format", choices=("stablehlo",), default="stablehlo")
    parser.add_argument(
        "--platforms",
        default=",".join(PLATFORMS),
        metavar="A,B,...",
        help="devices that the artefact is lowered for (default: %(default)s)",
    )
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")


def export(args: argparse.Namespace) -> None:
    """Writes the model as a program that runs without this project, and checks it."""
    from biobert_jax.inference import parity
    from biobert_jax.interop import stablehlo
    from biobert_jax.interop.forward import INPUTS

    platforms = args.platforms.split(",")
    strange = [name for name in platforms if name not in PLATFORMS]
    if strange or len(set(platforms)) < len(platforms):
        raise UserError(
            f"--platforms {args.platforms}: expected some of {', '.join(PLATFORMS)}, each once, "
            "with commas between"
        )
    check_output(args.to, [args.source], args.source, folder=True)
    stablehlo.check_flatbuffers()
    checkpoint = read_source(args)
    with new_folder(args.to) as folder:
        forward = stablehlo.write_stablehlo(folder, checkpoint, args.dtype, platforms)
        if not _is_here(platforms):
            _log("parity not checked: this machine has none of %s", args.platforms)
        else:
            rows = parity.sample_rows(checkpoint)
            ours, _ = parity.outputs_of(checkpoint, rows, args.dtype)
            theirs = stablehlo.read_stablehlo(folder)(*(rows[name] for name in INPUTS))
            # Two compilations of one program; in bfloat16 they may fuse and round in other places.
            limit = parity.SAME_PROGRAM if args.dtype == "float32" else 0.03
            parity.report_parity(checkpoint, f"{args.to}, read back", theirs, ours, limit)
    _log("%s: %s for %s", args.to, ", ".join(forward.outputs), ", ".join(platforms))
    if forward.kind == "token":
        _log("%s", FIRST_PIECES)


def _is_here(platforms: list[str]) -> bool:
    import jax

    backend = jax.default_backend()
    return ("cuda" if backend == "gpu" else backend) in platforms


def _log(message: str, *values: str) -> None:
    logging.getLogger("biobert_jax").info(message, *values)
