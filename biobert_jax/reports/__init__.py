"""Tables and figures from finished runs, beside the paper's published numbers."""
