"""Several runs: folds, grids and stacked trials."""
