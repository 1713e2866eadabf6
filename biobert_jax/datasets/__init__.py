"""The benchmarks: readers of their public layouts and TFDS builders."""
