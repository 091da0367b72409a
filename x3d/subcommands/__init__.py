"""The commands of `x3d_npu.py`, one module each: its options, its call, what the user reads."""
