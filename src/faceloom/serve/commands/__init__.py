"""One module per command: each reads its flags, builds a recipe or a question, and prints the answer."""
