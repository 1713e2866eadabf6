"""A service of tiny models in this process, on a free port of this machine."""

import contextlib
import faulthandler
import threading
import time

import pytest
import requests

pytest.importorskip("fastapi", reason="fastapi, of the extra `serve`, is not installed")

from biobert_jax.inference.model import Model
from biobert_jax.inference.serving import server
from biobert_jax.inference.serving.app import make_app
from biobert_jax.inference.serving.limits import Limits
from tests.inference.conftest import tiny_checkpoint

LIMITS = Limits(
    body=20_000, text=5_000, texts=8, waiting=16, batch=8, receive=1.0, drain=0.2, stop=20.0
)


@contextlib.contextmanager
def serving(models, limits=LIMITS, token=None, hosts=("127.0.0.1",)):
    """The address of a service, as long as the block lasts; `.server` stops it earlier."""
    app = make_app(models, limits, token, hosts, warm=False)
    bound = server.bind("127.0.0.1", 0)
    made = server.make_server(app, limits)
    thread = threading.Thread(target=made.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    address = Address(f"http://127.0.0.1:{bound.getsockname()[1]}")
    address.server, address.thread, address.port = made, thread, bound.getsockname()[1]
    deadline = time.monotonic() + 60
    while not made.started and time.monotonic() < deadline:
        time.sleep(0.01)
    yield address
    made.should_exit = True
    thread.join(limits.stop + 60)
    if thread.is_alive():
        faulthandler.dump_traceback()
        open_ones = [vars(one) for one in made.server_state.connections]
        pytest.fail(f"the service did not stop: {open_ones}, tasks {made.server_state.tasks}")


class Address(str):
    """Where a service listens."""

    def post(self, path, status=200, **body):
        answered = requests.post(self + path, json=body, timeout=60)
        assert answered.status_code == status, answered.text
        return answered.json()


@pytest.fixture(scope="session")
def models(span_checkpoint, sequence_checkpoint):
    return [
        Model(tiny_checkpoint(seed=1), name="entities"),  # finds some of both types in TEXT
        Model(sequence_checkpoint, name="pairs"),
        Model(span_checkpoint, name="answers"),
    ]


@pytest.fixture(scope="session")
def service(models):
    with serving(models) as address:
        yield address
