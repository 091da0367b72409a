"""Run a model in worker processes like those of x3d_evaluate.py, on random views instead of a list's videos.

    python -m benchmarks.inference_alone KEY VALUE ...

The keys are those of x3d_evaluate.py. Every video is opened, as the scorer does, and none is decoded.
"""

import functools
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from x3d.cli import DEFAULT_CFG
from x3d.config.loading import load_cfg
from x3d.dataset.annotations import Video
from x3d.network.engine import infer_padded
from x3d.pipeline.evaluate_settings import EvaluateSettings
from x3d.pipeline.scorers import open_scoring_runner, plan_scorer, prepare_scorer
from x3d.pipeline.video_scorer import VideoScorer


@dataclass(frozen=True)
class RandomViews:
    """Runs random views, as many as a video has, in the batches of a scorer."""

    scorer: VideoScorer
    num_views: int

    def __call__(self, video: Video) -> None:
        with self.scorer.opened(video.path) as (_, engine):
            batch = random_batch(engine.batch_size or self.scorer.batch_size, engine.view_shape)
            for start in range(0, self.num_views, len(batch)):
                infer_padded(engine, batch[: self.num_views - start])


@functools.lru_cache(maxsize=1)
def random_batch(size: int, view_shape: tuple[int, ...]) -> np.ndarray:
    """Draw (size, *view_shape) standard normal values, float32."""
    return np.random.default_rng(0).standard_normal((size, *view_shape), dtype=np.float32)


def main(argv: Sequence[str]) -> None:
    settings = EvaluateSettings.from_cfg(load_cfg(str(DEFAULT_CFG), argv))
    scorer = plan_scorer(settings)
    with open_scoring_runner(settings, scorer, [settings.path_prefix], settings.videos) as runner:
        prepare_scorer(settings, runner, len(settings.videos))
        for outcome in runner.run(RandomViews(scorer, settings.num_views), settings.videos):
            if outcome.reason:
                raise ValueError(outcome.text)


if __name__ == "__main__":
    main(sys.argv[1:])
