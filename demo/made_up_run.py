"""Make up the scores of a run, from a seed, to try comparison and report on a whole validation set."""

import dataclasses

import numpy as np

from x3d.scoring.table import Failure, ScoreTable

NUM_CANDIDATES = 5
"""A view whose best class is not the video's has one of the video's next best classes."""
SHARPNESS = np.float32(1.5)


def make_run(
    num_videos: int = 19761, num_classes: int = 400, num_views: int = 30, seed: int = 0, signal: float = 5.0
) -> ScoreTable:
    """Make up a run in which every video is scored and has a label and a path.

    Args:
        signal: of the label's logit, in standard deviations of the other classes' logits; 5.0 gives about 78 %
            top-1 with 400 classes.
    """
    random = np.random.default_rng(seed)
    labels = random.integers(num_classes, size=num_videos)
    logits = random.standard_normal((num_videos, num_classes), dtype=np.float32)
    strength = random.normal(signal, 2.5, num_videos)
    logits[np.arange(num_videos), labels] += strength
    logits *= SHARPNESS
    scores, view_classes, view_probabilities = _scores(logits, num_views, random)
    return ScoreTable(
        folder="made_up",
        videos=np.arange(num_videos),
        labels=labels,
        scores=scores,
        view_classes=view_classes,
        view_probabilities=view_probabilities,
        listed_labels=labels,
        expected_from="made_up/test.csv",
        listed_paths=[f"class {label:03d}/video_{video:06d}.mp4" for video, label in enumerate(labels)],
        conditions={"engine": "made up"},
    )


def degrade(table: ScoreTable, noise: float, seed: int = 1) -> ScoreTable:
    """Make up what a conversion does to the scores of a run: noise on the logits, with a standard deviation."""
    random = np.random.default_rng(seed)
    logits = np.log(np.maximum(table.probabilities, 1e-12))
    logits += noise * random.standard_normal(logits.shape, dtype=np.float32)
    scores, view_classes, view_probabilities = _scores(logits, table.num_views, random)
    return dataclasses.replace(
        table, folder="degraded", scores=scores, view_classes=view_classes, view_probabilities=view_probabilities
    )


def leave_out(table: ScoreTable, videos: list[int]) -> ScoreTable:
    """Make up a run in which some videos are not scored, because their files are empty."""
    kept = ~np.isin(table.videos, videos)
    failures = {video: Failure("empty", f"{table.path(video)}: the file has no bytes") for video in sorted(videos)}
    return dataclasses.replace(
        table,
        videos=table.videos[kept],
        labels=table.labels[kept],
        scores=table.scores[kept],
        view_classes=table.view_classes[kept],
        view_probabilities=table.view_probabilities[kept],
        failures={**table.failures, **failures},
    )


def _scores(
    logits: np.ndarray, num_views: int, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make up aggregated scores, the best class of each view, and its probability."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :NUM_CANDIDATES]
    of_best = np.take_along_axis(probabilities, best, axis=1)
    agrees = random.uniform(size=(len(best), num_views)) < np.sqrt(of_best[:, :1])
    chosen = np.where(agrees, 0, random.integers(1, best.shape[1], size=agrees.shape))
    spread = random.uniform(0.8, 1.2, size=agrees.shape)
    classes = np.take_along_axis(best, chosen, axis=1).astype(np.int32)
    of_classes = np.minimum(np.take_along_axis(of_best, chosen, axis=1) * spread, 1).astype(np.float32)
    return probabilities * np.float32(num_views), classes, of_classes
