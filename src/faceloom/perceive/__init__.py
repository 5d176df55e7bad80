"""Frames to what is in them: faces, landmarks, tracks, parsing, flow."""
