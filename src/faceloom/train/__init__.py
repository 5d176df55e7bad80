"""Training data, losses and recipes."""
