"""Make videos like those of Kinetics-400, from a seed.

    python -m benchmarks.clips FOLDER [--num 10] [--seed 0]

FOLDER/340x256/ and FOLDER/1280x720/ get `num` clips each: ten seconds at 30, 25 or 29.97 frames per second, H.264 as
libx264's preset medium encodes it. The camera pans over a texture whose amplitudes fall with the frequency, as those
of photographs do (Field 1987), things move over it, the sensor is noisy, and there is one cut.

Bit rates at 340x256 are spread around those of two clips of that copy of Kinetics, 505 and 1079 kbit/s; those at
1280x720 are what video sites commonly send, which was not measured: 292 to 1046 and 998 to 2444 kbit/s. How fast things
move was chosen such that the encoder takes about as many B frames as in those two clips: other frames refer to 56 % of
the frames at 340x256 (there to 53 and 61 %), and to 65 % at 1280x720. A frame then takes one core 0.31 ms to decode at
605 kbit/s and 0.45 ms at 1046 (there 0.27 ms at 505 and 0.46 ms at 1079). libx264's mbtree is off, for its files differ
from run to run.
"""

import argparse
import functools
import itertools
import math
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from demo.make_videos import encode
from demo.scenes import Pose, Thing, draw
from x3d.cores import count_cores

FRAME_RATES = (Fraction(30), Fraction(25), Fraction(30000, 1001))
SECONDS = 10
NUM_THINGS = 4
TEXTURE_SIDES = 1.5
"""Sides of the texture that the camera pans over, in sides of the picture."""
CONTRAST = 45
"""Standard deviation of the texture's brightness, in grey levels."""
SATURATION = 1 / 6
"""Of the texture's red and blue, as a share of its brightness."""


@dataclass(frozen=True)
class Size:
    """Pixels of a picture, and the rate factors of libx264 for the lowest and the highest bit rate of its clips."""

    width: int
    height: int
    coarsest: float
    finest: float

    @property
    def name(self) -> str:
        return f"{self.width}x{self.height}"


SMALL_SIZE, LARGE_SIZE = Size(340, 256, 28, 19), Size(1280, 720, 33, 26)
SIZES = (SMALL_SIZE, LARGE_SIZE)


def kinetics_shaped_videos(
    folder: Path, size: Size = SMALL_SIZE, num: int = 10, seed: int = 0, seconds: float = SECONDS
) -> list[str]:
    """Write `num` clips to a new or existing folder, with one process per core.

    The same arguments give the same files. Clip 0 has the lowest bit rate, the last the highest.

    Returns:
        Paths of the clips.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [str(folder / f"{size.name}_{number:02d}.mp4") for number in range(num)]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(num, count_cores()), mp_context=context) as pool:
        list(pool.map(functools.partial(write_clip, size, num, seed, seconds), range(num), paths))
    return paths


def write_clip(size: Size, num: int, seed: int, seconds: float, number: int, path: str) -> None:
    """Draw and encode clip `number` of `num`."""
    cv2.setNumThreads(1)
    rate = FRAME_RATES[number % len(FRAME_RATES)]
    rate_factor = size.coarsest + (size.finest - size.coarsest) * number / max(num - 1, 1)
    random = np.random.default_rng((seed, size.width, number))
    num_frames = round(seconds * rate)
    cut = int(num_frames * random.uniform(1 / 3, 2 / 3))
    shots = (draw_shot(size, length, rate, random) for length in (cut, num_frames - cut))
    options = {"preset": "medium", "crf": f"{rate_factor:.1f}", "x264-params": "mbtree=0"}
    encode(path, itertools.chain.from_iterable(shots), rate, options, size.width, size.height)


def draw_shot(size: Size, num_frames: int, rate: Fraction, random: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield the frames between two cuts: (H, W, 3) uint8, RGB."""
    texture = make_texture(int(TEXTURE_SIDES * size.height), int(TEXTURE_SIDES * size.width), random)
    things = [make_thing(size, random) for _ in range(NUM_THINGS)]
    camera = make_path(size, random)
    noise = random.normal(0, random.uniform(1, 4), texture.shape[:2]).astype(np.int8)
    noise = np.repeat(noise[:, :, None], 3, axis=2)
    for number in range(num_frames):
        x, y = camera(number / float(rate))
        shift = np.array([[1.0, 0.0, -x], [0.0, 1.0, -y]])
        frame = cv2.warpAffine(texture, shift, (size.width, size.height), borderMode=cv2.BORDER_REFLECT)
        for thing in things:
            draw(frame, thing, thing.pose(number / float(rate)))
        top, left = random.integers(size.height // 2), random.integers(size.width // 2)
        yield np.asarray(cv2.add(frame, noise[top : top + size.height, left : left + size.width], dtype=cv2.CV_8U))


def make_texture(height: int, width: int, random: np.random.Generator) -> np.ndarray:
    """Draw a texture whose amplitudes are inverse to the frequency, in colours of low saturation.

    Returns:
        (height, width, 3) uint8, RGB.
    """
    frequency = np.hypot(np.fft.fftfreq(height)[:, None] * height, np.fft.rfftfreq(width) * width).astype(np.float32)
    frequency[0, 0] = np.inf
    angles = np.float32(2 * math.pi) * random.random(frequency.shape, dtype=np.float32)
    layer = np.fft.irfft2(np.exp(1j * angles) / frequency, (height, width)).astype(np.float32)
    layer *= CONTRAST / layer.std()
    red, blue = (SATURATION * flipped for flipped in (layer[::-1], layer[:, ::-1]))
    channels = 128 + np.stack([layer + red, layer, layer + blue], axis=2)
    return channels.clip(0, 255).astype(np.uint8)


def make_thing(size: Size, random: np.random.Generator) -> Thing:
    """Draw a soft-edged disc with a texture of its own, which drifts, turns and changes its size."""
    side = round(size.height * random.uniform(0.2, 0.6))
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    shape = np.clip((1 - np.hypot(axis, axis[:, None])) * side / 6, 0, 1)
    path = make_path(size, random)
    speed, depth = random.uniform(-60, 60), random.uniform(0, 0.2)

    def pose(seconds: float) -> Pose:
        x, y = path(seconds)
        return Pose(x, y, side * (1 + depth * math.sin(3 * seconds)), speed * seconds)

    return Thing(make_texture(side, side, random), shape, pose)


def make_path(size: Size, random: np.random.Generator) -> Callable[[float], tuple[float, float]]:
    """Choose where a camera or a thing is at a time in seconds, in pixels: a drift, a sway and a tremor."""
    sides = (size.width, size.height)
    starts, drifts = random.uniform(0.1, 0.9, 2) * sides, random.uniform(-0.05, 0.05, 2) * sides
    sway, tremor = random.uniform(0, 0.4, 2) * size.height, random.uniform(0, 0.02, 2) * size.height
    phases = random.uniform(0, 2 * math.pi, 2)

    def place(seconds: float) -> tuple[float, float]:
        x, y = (
            starts
            + drifts * seconds
            + sway * np.sin(2 * seconds + phases)
            + tremor * np.sin(20 * seconds + phases[::-1])
        )
        return float(x), float(y)

    return place


def long_raw_video(path: Path, megabytes: float = 600) -> str:
    """Write an AVI of uncompressed pictures of 340 x 256 pixels at 30 frames per second, as long as it takes."""
    frame = av.VideoFrame.from_ndarray(np.zeros((256 * 3 // 2, 340), np.uint8), format="yuv420p")
    with av.open(str(path), "w", format="avi") as container:
        stream = container.add_stream("rawvideo", rate=30)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 340, 256, "yuv420p"
        for _ in range(math.ceil(megabytes * 1e6 / (340 * 256 * 1.5))):
            container.mux(stream.encode(frame))
    return str(path)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where to write, 1.3 MB per clip")
    parser.add_argument("--num", type=int, default=10, help="clips of each size (default: 10)")
    parser.add_argument("--seed", type=int, default=0, help="of the clips (default: 0)")
    args = parser.parse_args(argv)
    for size in SIZES:
        print(*kinetics_shaped_videos(args.folder / size.name, size, args.num, args.seed), sep="\n")


if __name__ == "__main__":
    main()
