"""The generated corpus: no download, no licence, known labels."""
