"""Generate a small video set in the format of Kinetics, whose classes depend on correct decoding.

A seed -> OUTPUT/val/<class>/<name>.mp4 (H.264, 340x256, 30 fps, 10 s) and OUTPUT/test.csv, `path label` per line.

    python -m demo.make_videos demo_data --num 32 --seed 7

demo/scenes.py draws the clips.
"""

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from demo.scenes import CLASSES, HEIGHT, WIDTH, make_scene, render
from x3d.cores import count_cores

FPS, NUM_FRAMES = 30, 300


def write_clip(path: str, label: int, seed: Sequence[int]) -> None:
    """Draw one clip and encode it."""
    import av
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    scene = make_scene(label, np.random.default_rng(seed))
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "superfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.thread_count = 1
        for number in range(NUM_FRAMES):
            planes = np.asarray(cv2.cvtColor(render(scene, number / FPS), cv2.COLOR_RGB2YUV_I420), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode(None))


def clip_rows(num: int, seed: int) -> list[tuple[str, int]]:
    """Choose path and label of every clip, in random order, with classes as equally frequent as `num` allows."""
    import numpy as np

    random = np.random.default_rng(seed)
    labels = np.concatenate([random.permutation(len(CLASSES)) for _ in range(math.ceil(num / len(CLASSES)))])[:num]
    return [(f"{CLASSES[label]}/{seed:03d}_{number:06d}.mp4", int(label)) for number, label in enumerate(labels)]


def make_videos(output: str, num: int, seed: int) -> None:
    """Write `num` clips, with one process per core, and their list."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    rows = clip_rows(num, seed)
    for path, _ in rows:
        (Path(output) / "val" / path).parent.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count_cores(), mp_context=context) as pool:
        jobs = [
            pool.submit(write_clip, str(Path(output) / "val" / path), label, (seed, number))
            for number, (path, label) in enumerate(rows)
        ]
        for job in jobs:
            job.result()
    (Path(output) / "test.csv").write_text("".join(f"{path} {label}\n" for path, label in rows))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", metavar="OUTPUT", help="folder for val/ and test.csv")
    parser.add_argument("--num", type=int, default=32, help="clips to make (default: 32)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the clips (default: 0)")
    args = parser.parse_args(argv)
    if args.num < 1 or args.seed < 0:
        parser.error("--num must be at least 1 and --seed at least 0")
    make_videos(args.output, args.num, args.seed)
    print(f"{args.num} clips of {len(CLASSES)} classes: {args.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
