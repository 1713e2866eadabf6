"""The command `biobert serve`."""

import argparse
import importlib.util
import logging
import os

from biobert_jax.arguments import positive_number, whole_number
from biobert_jax.errors import UserError
from biobert_jax.files import read_text
from biobert_jax.inference.commands import MODEL_HELP

TOKEN = "BIOBERT_TOKEN"
"""The environment variable with the token that clients must show."""


def declare_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        required=True,
        action="append",
        metavar="[NAME=]PATH",
        help=f"any model; give it again for more models: {MODEL_HELP}",
    )
    parser.add_argument(
        "--type",
        action="append",
        default=[],
        metavar="[NAME=]TYPE",
        help="what a model of bare B and I labels finds, such as Disease",
    )
    parser.add_argument("--host", default="127.0.0.1", help="default: %(default)s, this machine")
    parser.add_argument(
        "--port", type=_port, default=8642, help="default: %(default)s; 0: any that is free"
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help=f"the token that clients must show (`Authorization: Bearer`); or {TOKEN}",
    )
    parser.add_argument(
        "--allow-host",
        action="append",
        metavar="NAME",
        help="a name by which clients call the service, behind a proxy; may be given again",
    )
    number = whole_number(1)
    for name, kind, default, what in (
        ("--max-body", number, 2**20, "bytes of a request"),
        ("--max-text", number, 100_000, "characters of a text"),
        ("--max-texts", number, 64, "texts of a request"),
        ("--max-waiting", number, 256, "texts that wait; more get 429"),
        ("--max-batch", number, 32, "texts read at once; 1: no batches"),
        ("--timeout", positive_number, 60.0, "seconds until a request is given up"),
    ):
        parser.add_argument(
            name, type=kind, default=default, metavar="N", help=f"{what} (default: {default})"
        )
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")


def serve(args: argparse.Namespace) -> None:
    """Loads models and serves until it is stopped."""
    missing = [
        name for name in ("fastapi", "uvicorn", "prometheus_client") if not _is_installed(name)
    ]
    if missing:
        raise UserError(
            f"biobert serve needs {', '.join(missing)}: pip install 'biobert_jax[serve]'"
        )
    from biobert_jax.inference.serving import server
    from biobert_jax.inference.serving.app import make_app
    from biobert_jax.inference.serving.limits import Limits
    from biobert_jax.inference.serving.service import load_models

    logger = logging.getLogger("biobert_jax")
    token = _token(args.token_file)
    limits = Limits(
        body=args.max_body,
        text=args.max_text,
        texts=args.max_texts,
        waiting=args.max_waiting,
        batch=args.max_batch,
        answer=args.timeout,
    )
    bound = server.bind(args.host, args.port)  # before the models: a wrong port is said at once
    models = load_models(args.model, args.type, args.dtype)
    loopback = server.is_loopback(args.host)
    own = ["localhost", "127.0.0.1", "[::1]"] if loopback else ["*"]
    app = make_app(models, limits, token, [*own, *(args.allow_host or ())])
    if not loopback and token is None:
        logger.warning(
            "--host %s without a token: whoever reaches this machine can use the service. Give "
            "--token-file",
            args.host,
        )
    for model in models:
        logger.info("%s: %s (%s)", model.name, model.source, ", ".join(model.methods))
    # One line per process instead of one per request.
    logging.getLogger("biobert_jax.text.casing").setLevel(logging.ERROR)
    server.make_server(app, limits).run(sockets=[bound])
    logger.info("stopped")


def _token(file: str | None) -> str | None:
    token = read_text(file, limit=2**12).strip() if file else os.environ.get(TOKEN, "")
    if file and not token:
        raise UserError(f"{file}: is empty; expected a token of one line")
    if len(token.split()) > 1 or not token.isprintable():
        raise UserError(f"{file or TOKEN}: expected a token of one line without spaces")
    return token or None


def _is_installed(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def _port(text: str) -> int:
    if not text.isdecimal() or not int(text) < 2**16:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a port, 0 to 65535")
    return int(text)
