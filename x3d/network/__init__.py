"""The X3D network, its checkpoints, its export to ONNX, and the engines that run it."""

EXPORT_FORMAT = 2
"""Number of the file that an export writes: raised with every change of its graph or its metadata."""
