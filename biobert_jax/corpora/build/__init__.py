"""From files of text to shards: units, duplicates, local and Ray executors."""
