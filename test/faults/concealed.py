"""Damage that a decoder conceals: frames that look whole and are flagged."""

import random
from pathlib import Path

import av

from test import world
from test.faults.row import Fault

PATH = Path("data/val/h264.mkv")


def flip_bits_until_concealed() -> None:
    """Flip bits in a copy of a video until all of its frames are decoded, and one of them is flagged."""
    intact = PATH.read_bytes()
    for seed in range(200):
        draw, data = random.Random(seed), bytearray(intact)
        for _ in range(4):
            data[draw.randrange(len(data) // 4, len(data) * 3 // 4)] ^= 1 << draw.randrange(8)
        PATH.write_bytes(data)
        if _is_concealed():
            return
    raise AssertionError("no damage was concealed")


def _is_concealed() -> bool:
    try:
        with av.open(str(PATH)) as container:
            flags = [frame.is_corrupt for frame in container.decode(video=0)]
    except av.FFmpegError:
        return False
    return len(flags) == world.NUM_FRAMES and any(flags[1:])


DAMAGED = "1 video with frames that the decoder marked as damaged"

FAULTS = (
    Fault("verified", flip_bits_until_concealed, world.verify, 1, [r"damaged.*h264\.mkv.*concealed"]),
    Fault("preprocessed", flip_bits_until_concealed, lambda: world.preprocess("new"), 0, [DAMAGED]),
    Fault("evaluated", flip_bits_until_concealed, lambda: world.evaluate("small.onnx", "new"), 0, [DAMAGED], line=True),
)
