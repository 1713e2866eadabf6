"""The HTTP service: `biobert serve` (the extra `serve`)."""
