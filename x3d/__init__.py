"""Measure the accuracy and speed of X3D video networks: the package beneath the x3d_*.py scripts."""

__version__ = "0.2.0"
