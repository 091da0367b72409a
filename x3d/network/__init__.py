"""The X3D network, its checkpoints, its export to ONNX, and the engines that run it."""
