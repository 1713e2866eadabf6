"""The encoder on packed rows and the heads that tasks put on it."""
