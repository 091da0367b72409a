"""Train the demo's network on generated clips, on a CPU.

Seeds -> a checkpoint in PySlowFast's layout, for configs/X3D_DEMO.yaml.

    python -m demo.train demo/x3d_demo.pyth

The clips come from encoded videos through this suite's own sampling and resizing. Each is augmented in 32 ways
(mirrored, flipped, transposed, reversed, with R and B exchanged), which turn one class into another.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from demo.make_videos import clip_rows, make_videos
from x3d.cli import EXIT_DONE, guarded

if TYPE_CHECKING:
    import numpy as np
    import torch
    from fvcore.common.config import CfgNode
    from torch import nn

logger = logging.getLogger("train")

CFG = Path(__file__).parent.parent / "configs" / "X3D_DEMO.yaml"
VIDEO_SEED = 1000
"""Seed of the training videos; use another one for test videos."""
CLIPS_PER_VIDEO = 8
BATCH_SIZE = 16
MAX_LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.01
NUM_STATISTICS_BATCHES = 24
LOG_EVERY = 50

BACKWARDS = (1, 0, 3, 2, 5, 4, 7, 6)
MIRRORED = (1, 0, 2, 3, 4, 5, 7, 6)
FLIPPED = (0, 1, 3, 2, 4, 5, 7, 6)
TRANSPOSED = (2, 3, 0, 1, 4, 5, 7, 6)
"""Motion, as an index of demo.scenes.MOTIONS, that each motion becomes under the change."""


def read_clips(cfg: "CfgNode", folder: str, rows: Sequence[tuple[str, int]]) -> tuple["np.ndarray", "np.ndarray"]:
    """Decode videos as x3d_preprocess.py does, without standardising and cropping.

    Args:
        folder, rows: output folder and rows of make_videos.
    Returns:
        (num_clips, T, H, W, 3) uint8 RGB, resized, and (num_clips,) int64 labels.
    """
    import numpy as np

    from x3d.video.clips import decode_clips
    from x3d.video.reader import VideoReader
    from x3d.video.sampling import Sampling
    from x3d.video.transform import Transform, prepare_frame

    sampling = Sampling(cfg.DATA.NUM_FRAMES, cfg.DATA.SAMPLING_RATE, cfg.DATA.TARGET_FPS, CLIPS_PER_VIDEO)
    resize_only = Transform((0.0,) * 3, (1 / 255,) * 3, cfg.DATA.TEST_CROP_SIZE, cfg.DATA.TEST_CROP_SIZE, 3)

    def prepare(frame: np.ndarray) -> np.ndarray:
        return (prepare_frame(frame, resize_only) + 0.5).astype(np.uint8).transpose(1, 2, 0)

    clips = []
    for path, _ in rows:
        with VideoReader(str(Path(folder) / "val" / path)) as reader:
            clips += [np.stack(frames) for _, frames in decode_clips(reader, sampling, prepare)]
    return np.stack(clips), np.repeat([label for _, label in rows], CLIPS_PER_VIDEO)


def vary(clip: "np.ndarray", label: int, random: "np.random.Generator") -> tuple["np.ndarray", int]:
    """Change a clip in up to five ways, each with probability 1/2, and its label with it.

    Args:
        clip: (T, C, C, 3), any type.
    """
    motion, hue = divmod(label, 2)
    backwards, mirrored, flipped, transposed, recolored = random.random(5) < 0.5
    if backwards:
        clip, motion = clip[::-1], BACKWARDS[motion]
    if mirrored:
        clip, motion = clip[:, :, ::-1], MIRRORED[motion]
    if flipped:
        clip, motion = clip[:, ::-1], FLIPPED[motion]
    if transposed:
        clip, motion = clip.transpose(0, 2, 1, 3), TRANSPOSED[motion]
    if recolored:
        clip, hue = clip[..., ::-1], 1 - hue
    return clip, 2 * motion + hue


def batches(
    cfg: "CfgNode", clips: "np.ndarray", labels: "np.ndarray", crop_size: int, random: "np.random.Generator"
) -> Iterator[tuple["torch.Tensor", "torch.Tensor"]]:
    """Yield batches forever, each clip randomly cropped and augmented.

    Yields:
        (BATCH_SIZE, 3, T, C, C) float32 standardised, channels last in memory, and (BATCH_SIZE,) int64.
    """
    import numpy as np
    import torch

    mean, std = torch.tensor(cfg.DATA.MEAN), torch.tensor(cfg.DATA.STD)
    _, num_frames, height, width, _ = clips.shape
    while True:
        picked = np.empty((BATCH_SIZE, num_frames, crop_size, crop_size, 3), dtype=np.uint8)
        targets = np.empty(BATCH_SIZE, dtype=np.int64)
        for row, number in enumerate(random.choice(len(clips), BATCH_SIZE, replace=False)):
            top, left = random.integers(height - crop_size + 1), random.integers(width - crop_size + 1)
            clip = clips[number, :, top : top + crop_size, left : left + crop_size]
            picked[row], targets[row] = vary(clip, int(labels[number]), random)
        views = (torch.from_numpy(picked).float() / 255 - mean) / std
        yield views.permute(0, 4, 1, 2, 3), torch.from_numpy(targets)


def initialise(model: "nn.Module") -> None:
    """Draw the weights, in place; each block starts as its shortcut, as PySlowFast's ZERO_INIT_FINAL_BN does."""
    from torch import nn

    for name, module in model.named_modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out" if module.groups == 1 else "fan_in")
        elif name.endswith("c_bn"):
            nn.init.zeros_(module.weight)


def fit(model: "nn.Module", source: Iterator[tuple["torch.Tensor", "torch.Tensor"]], num_steps: int) -> None:
    """Minimise the cross-entropy with AdamW and a one-cycle learning rate, in place."""
    import torch
    from torch.nn.functional import cross_entropy

    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, MAX_LEARNING_RATE, total_steps=num_steps, pct_start=0.1)
    started, losses, correct = time.perf_counter(), 0.0, 0
    for step, (views, labels) in zip(range(1, num_steps + 1), source, strict=False):
        logits = model(views)
        loss = cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses += loss.item()
        correct += int((logits.argmax(1) == labels).sum())
        if step % LOG_EVERY == 0:
            share = correct / (LOG_EVERY * BATCH_SIZE)
            seconds = time.perf_counter() - started
            logger.info("step %d: loss %.3f, top-1 %.1f %%, %.0f s", step, losses / LOG_EVERY, 100 * share, seconds)
            losses, correct = 0.0, 0


def measure_statistics(model: "nn.Module", source: Iterator[tuple["torch.Tensor", "torch.Tensor"]]) -> None:
    """Replace BatchNorm's running statistics by means over batches of the crops that evaluation uses, in place."""
    import torch
    from torch import nn

    for module in model.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.reset_running_stats()
            module.momentum = None
    model.train()
    with torch.inference_mode():
        for _, (views, _) in zip(range(NUM_STATISTICS_BATCHES), source, strict=False):
            model(views)


def save_checkpoint(model: "nn.Module", cfg: "CfgNode", path: str) -> None:
    """Write a checkpoint in PySlowFast's layout, with an empty optimizer state."""
    import torch

    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    torch.save({"epoch": 0, "model_state": state, "optimizer_state": {}, "cfg": cfg.dump()}, path)


def run(args: argparse.Namespace) -> int:
    """Make the videos, train on small crops, measure the statistics on full crops, save."""
    import numpy as np
    import torch

    from x3d.config.loading import load_cfg
    from x3d.network.model import X3D, Architecture

    started = time.perf_counter()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    random = np.random.default_rng(args.seed)
    cfg = load_cfg(str(CFG))
    with tempfile.TemporaryDirectory() as folder:
        make_videos(folder, args.videos, VIDEO_SEED)
        clips, labels = read_clips(cfg, folder, clip_rows(args.videos, VIDEO_SEED))
    logger.info("%d clips of %d videos, %.0f s", len(clips), args.videos, time.perf_counter() - started)

    model = X3D(Architecture.from_cfg(load_cfg(str(CFG), ["DATA.TRAIN_CROP_SIZE", str(args.crop)])))
    initialise(model)
    model = model.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    fit(model, batches(cfg, clips, labels, args.crop, random), args.steps)
    measure_statistics(model, batches(cfg, clips, labels, cfg.DATA.TEST_CROP_SIZE, random))
    save_checkpoint(model, cfg, args.output)
    logger.info("%s: %d bytes, %.0f s in all", args.output, os.path.getsize(args.output), time.perf_counter() - started)
    return EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", metavar="FILE", help="checkpoint to write")
    parser.add_argument("--videos", type=int, default=64, help="videos to train on (default: 64)")
    parser.add_argument("--steps", type=int, default=1800, help=f"batches of {BATCH_SIZE} clips (default: 1800)")
    parser.add_argument("--crop", type=int, default=64, help="side of the training crops in pixels (default: 64)")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and order of the clips (default: 0)")
    parser.add_argument("--threads", type=int, default=2, help="threads of torch (default: 2)")
    args = parser.parse_args(argv)
    return guarded(lambda: run(args))


if __name__ == "__main__":
    raise SystemExit(main())
