"""What the service counts, in the form that Prometheus reads."""

from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_TEXTS = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counters of one service; see `text`."""

    def __init__(self):
        # Of the extra `serve`.
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        own: Any = {"registry": self.registry}
        self.requests = Counter("biobert_requests", "Answered requests.", ("path", "status"), **own)
        self.seconds = Histogram(
            "biobert_request_seconds",
            "From the head of a request to its answer.",
            ("path",),
            buckets=_SECONDS,
            **own,
        )
        self.texts = Counter("biobert_texts", "Texts that were read.", ("path",), **own)
        self.batch_texts = Histogram(
            "biobert_batch_texts", "Texts of a batch.", buckets=_TEXTS, **own
        )
        self.waiting = Gauge("biobert_waiting_texts", "Texts that wait for the model.", **own)
        self.in_progress = Gauge("biobert_requests_in_progress", "Requests not answered.", **own)

    def text(self) -> bytes:
        """All of them."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
