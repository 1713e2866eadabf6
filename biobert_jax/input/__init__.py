"""Sequences to packed rows to batches on devices."""
