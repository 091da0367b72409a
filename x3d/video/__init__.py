"""From a video file to views: sampling, decoding, transform."""

VIEW_FORMAT = 2
"""Number of the arithmetic that decides the bytes of a view. Raise it with every change of them, so that a folder never
mixes views of two algorithms."""
