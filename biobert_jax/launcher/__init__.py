"""From a command line to a run: flags, processes, the encoder to start from, results.json."""
