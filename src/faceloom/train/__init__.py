"""From pictures of faces to weights: packed data, one loop, and one task for each kind of model."""
