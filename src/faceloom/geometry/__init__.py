"""Pure maths on arrays: no weights, no files."""
