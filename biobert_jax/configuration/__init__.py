"""Settings: their defaults per task, their types and ranges, and the check of both."""
