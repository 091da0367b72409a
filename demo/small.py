"""A network for tests and smoke runs."""

SMALL = (
    "DATA.NUM_FRAMES 4 DATA.SAMPLING_RATE 3 DATA.TRAIN_JITTER_SCALES [40,50] DATA.TRAIN_CROP_SIZE 32 "
    "DATA.TEST_CROP_SIZE 40 X3D.WIDTH_FACTOR 0.5 X3D.DEPTH_FACTOR 1.0 X3D.DIM_C5 16 MODEL.NUM_CLASSES 9"
).split()
"""Keys that make X3D-S small enough to run every script in seconds; still with 30 views per video."""
