"""Scores from predictions, and nothing else."""
