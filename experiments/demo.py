"""Shows the whole way, from PubMed files to entities in text, on generated data: minutes on a CPU.

python -m experiments.demo [--workdir=runs/demo]

Any setting of configs/demo.py can be given, such as --config.seed=1.
"""

from biobert_jax.launcher.demo import launch

if __name__ == "__main__":
    launch()
