"""Scorers: each takes the frames of one clip as they come and keeps only what its metrics need."""
