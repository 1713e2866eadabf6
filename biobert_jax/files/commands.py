"""The command `biobert staged`: copies on this machine of what is in buckets."""

import argparse

from biobert_jax.files import staging


def declare(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    parser.add_argument(
        "addresses", nargs="*", metavar="ADDRESS", help="gs://..., and all below it; default: all"
    )
    parser.add_argument("--remove", action="store_true", help="remove them")


def run(args: argparse.Namespace) -> None:
    """Lists the copies, or removes them.

    Raises:
      WriteError: one cannot be removed.
    """
    if args.remove:
        print(f"{staging.remove(args.addresses):,} bytes removed from {staging.home()}")
        return
    wanted = tuple(args.addresses)
    found = {a: size for a, size in staging.copies().items() if not wanted or a.startswith(wanted)}
    for address, size in found.items():
        print(f"{size:>15,}  {address}")
    print(f"{sum(found.values()):>15,}  bytes in {len(found)} copies in {staging.home()}")
