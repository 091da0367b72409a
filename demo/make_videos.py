"""Generate a small video set in the format of Kinetics, whose classes depend on correct decoding.

A seed -> OUTPUT/val/<class>/<name>.mp4 (H.264, 340x256, 30 fps, 10 s), OUTPUT/test.csv, `path label` per line, and
OUTPUT/classes.txt, the class names for DATA.CLASS_NAMES.

    python -m demo.make_videos demo_data --num 32 --seed 7

demo/scenes.py draws the clips. With --hard, demo/hard_scenes.py does: the demo's network is right about four of five.
"""

import argparse
import functools
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from demo.hard_scenes import make_hard_scene, render_hard
from demo.scenes import CLASSES, HEIGHT, WIDTH, make_scene, render
from x3d.cores import count_cores

if TYPE_CHECKING:
    import numpy as np

FPS, NUM_FRAMES = 30, 300


def make_clip(label: int, seed: Sequence[int], hard: bool) -> Callable[[float], "np.ndarray"]:
    """Return the function that draws a clip at a time in seconds: (H, W, 3) uint8, RGB."""
    import numpy as np

    random = np.random.default_rng(seed)
    if hard:
        return functools.partial(render_hard, make_hard_scene(label, random))
    return functools.partial(render, make_scene(label, random))


def write_clip(path: str, label: int, seed: Sequence[int], hard: bool = False) -> None:
    """Draw one clip and encode it."""
    import cv2

    cv2.setNumThreads(1)
    draw = make_clip(label, seed, hard)
    frames = (draw(number / FPS) for number in range(NUM_FRAMES))
    encode(path, frames, FPS, {"preset": "superfast", "crf": "23"})


def encode(
    path: str,
    frames: "Iterable[np.ndarray]",
    rate: int | Fraction,
    options: dict[str, str],
    width: int = WIDTH,
    height: int = HEIGHT,
) -> None:
    """Encode a video as MP4 by libx264 with one thread, so that the same frames give the same file.

    Args:
        frames: (height, width, 3) uint8, RGB.
        rate: frames per second.
        options: of libx264.
    """
    import av
    import cv2
    import numpy as np

    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options=options)
        stream.pix_fmt, stream.codec_context.thread_count = "yuv420p", 1
        stream.width, stream.height = width, height
        for frame in frames:
            planes = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode(None))


def clip_rows(num: int, seed: int) -> list[tuple[str, int]]:
    """Choose path and label of every clip, in random order, with classes as equally frequent as `num` allows."""
    import numpy as np

    random = np.random.default_rng(seed)
    labels = np.concatenate([random.permutation(len(CLASSES)) for _ in range(math.ceil(num / len(CLASSES)))])[:num]
    return [(f"{CLASSES[label]}/{seed:03d}_{number:06d}.mp4", int(label)) for number, label in enumerate(labels)]


def make_videos(output: str, num: int, seed: int, hard: bool = False) -> None:
    """Write `num` clips, with one process per core, their list, and the names of the classes."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    rows = clip_rows(num, seed)
    for path, _ in rows:
        (Path(output) / "val" / path).parent.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count_cores(), mp_context=context) as pool:
        jobs = [
            pool.submit(write_clip, str(Path(output) / "val" / path), label, (seed, number), hard)
            for number, (path, label) in enumerate(rows)
        ]
        for job in jobs:
            job.result()
    (Path(output) / "test.csv").write_text("".join(f"{path} {label}\n" for path, label in rows))
    (Path(output) / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", metavar="OUTPUT", help="folder for val/ and test.csv")
    parser.add_argument("--num", type=int, default=32, help="clips to make (default: 32)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the clips (default: 0)")
    parser.add_argument("--hard", action="store_true", help="clips with noise, weak contrast, slow and mixed motion")
    args = parser.parse_args(argv)
    if args.num < 1 or args.seed < 0:
        parser.error("--num must be at least 1 and --seed at least 0")
    make_videos(args.output, args.num, args.seed, args.hard)
    print(f"{args.num} clips of {len(CLASSES)} classes: {args.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
