"""Runs a sweep: many runs of any experiment, which may depend on each other.

python -m experiments.sweep --config=configs/sweeps/search.py --workdir=sweeps/search \
    --config.init=INIT --config.path=DIR [--dry_run | --print] [--engine=ray --workers=8]

Finished runs are not run again; a failing one is recorded and does not stop the others; the same
command resumes a sweep that was stopped.
"""

from biobert_jax.launcher.sweep import launch

if __name__ == "__main__":
    launch()
