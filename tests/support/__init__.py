"""What tests share: tiny models, processes and their ports, random numbers that can be replayed."""
