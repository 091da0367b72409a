"""The X3D network, its checkpoints, its export to ONNX, and the engines that run it."""

EXPORT_FORMAT = 1
"""Number of the graph that an export writes: raised with every change of what it computes."""
