"""Whether a download can begin at all."""

from pathlib import Path

import requests

from biobert_jax.errors import DataError

SECONDS = 10


def check_connection(url: str, instead: str, downloads: Path | None = None) -> None:
    """Raises DataError at once where a server cannot be reached.

    TFDS tries ten times, three and a half minutes in all, before it gives up.

    Args:
      url: what is to be downloaded; proxies are used as requests uses them.
      instead: what to do without a network, for the message.
      downloads: TFDS's folder of downloads; an existing archive needs no server.
    """
    if downloads is not None and any(url in _text(info) for info in downloads.rglob("*.INFO")):
        return
    try:
        requests.head(url, timeout=SECONDS, allow_redirects=False).close()
    except requests.RequestException as error:
        reason: BaseException = error
        while deeper := reason.__cause__ or reason.__context__:
            reason = deeper  # urllib3's say less than the socket's
        raise DataError(f"{url}: the server cannot be reached ({reason}). {instead}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
