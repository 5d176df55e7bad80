"""Pictures of faces, ready for training: made, aligned, packed, read in batches, changed at random."""
