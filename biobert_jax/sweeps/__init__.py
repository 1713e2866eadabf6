"""Many runs as one file: what runs, in which order, where, and what is done."""
