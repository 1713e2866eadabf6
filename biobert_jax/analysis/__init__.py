"""What a training step costs, from the compiler."""
