"""One training loop for all tasks."""
