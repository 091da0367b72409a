"""Predict the classes of one video: of the whole video as an evaluation does, or of its windows of time."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from x3d.dataset.annotations import Video
from x3d.dataset.class_names import ClassNames
from x3d.errors import counted
from x3d.network.engine import Engine
from x3d.pipeline.video_scorer import VideoScorer
from x3d.scoring.aggregate import aggregate_views, best_of_views, mean_of_views
from x3d.scoring.predictions import best_classes
from x3d.video.reader import VideoReader
from x3d.video.windows import Timeline, WindowClips, cut_windows

MIN_FPS = 10


@dataclass(frozen=True)
class ClassScore:
    """A class, and how sure the model is of it.

    Attributes:
        name: for people, with control characters escaped.
        probability: mean of the views.
        num_agreeing: views whose best class it is.
    """

    label: int
    name: str
    probability: float
    num_agreeing: int


@dataclass(frozen=True)
class Segment:
    """A part of a video, or all of it, with its best classes, the best first.

    Attributes:
        start_seconds, end_seconds: from the first frame of the video.
    """

    start_seconds: float
    end_seconds: float
    num_views: int
    classes: Sequence[ClassScore]

    @property
    def best(self) -> ClassScore:
        """The best class."""
        return self.classes[0]


@dataclass(frozen=True)
class Prediction:
    """What a video shows, or why that is not known.

    Attributes:
        segments: one, which is the whole video; or those of its windows.
        warnings: what is unusual about the video.
        reason: a code out of x3d.errors.REASONS if it failed, else empty.
        text: of the failure; names the video.
    """

    path: str
    segments: Sequence[Segment] = ()
    warnings: Sequence[str] = ()
    reason: str = ""
    text: str = ""


@dataclass(frozen=True)
class VideoPredictor:
    """A picklable function that predicts the classes of a video.

    Attributes:
        num_best: classes of a whole video.
        window_seconds: length of the windows; 0: the whole video at once.
    """

    scorer: VideoScorer
    names: ClassNames
    num_best: int
    window_seconds: float

    def __call__(self, video: Video) -> Prediction:
        """Predict the classes of a video.

        Raises:
            EngineError, RunError, ScoringError, VideoError: as VideoScorer.
        """
        with self.scorer.opened(video.path) as (reader, engine):
            timeline = Timeline.from_reader(reader)
            if self.window_seconds:
                segments = list(self._windows(reader, engine, timeline))
            else:
                views = self.scorer.view_probabilities(reader, engine, self.scorer.sampling)
                segments = [self._segment(0.0, timeline.seconds, views, self.num_best)]
            return Prediction(video.path, segments, self._warnings(reader, timeline))

    def _windows(self, reader: VideoReader, engine: Engine, timeline: Timeline) -> Iterator[Segment]:
        """Score each window, and merge neighbours with one best class."""
        edges = cut_windows(timeline, self.window_seconds)
        clips = WindowClips.of_windows(edges, timeline, self.scorer.sampling)
        views = self.scorer.view_probabilities(reader, engine, clips)
        windows = np.split(views, len(edges) - 1)
        labels = [int(aggregate_views(window, self.scorer.ensemble_method).argmax()) for window in windows]
        start = 0
        for _, same in itertools.groupby(labels):
            stop = start + len(list(same))
            yield self._segment(edges[start], edges[stop], np.concatenate(windows[start:stop]), 1)
            start = stop

    def _segment(self, start: float, end: float, views: np.ndarray, num_best: int) -> Segment:
        """Rank the classes by the aggregated scores of some views: (V, C) float32."""
        scores = aggregate_views(views, self.scorer.ensemble_method)
        means = mean_of_views(views)
        num_agreeing = np.bincount(best_of_views(views)[0], minlength=len(scores))
        classes = [
            ClassScore(label, self.names.name(label), float(means[label]), int(num_agreeing[label]))
            for label in best_classes(scores[None], num_best)[0].tolist()
        ]
        return Segment(float(start), float(end), len(views), classes)

    def _warnings(self, reader: VideoReader, timeline: Timeline) -> list[str]:
        """List what is unusual about a video that was decoded."""
        sampling = self.scorer.sampling
        texts = []
        if timeline.num_frames < math.floor(sampling.clip_size(timeline.fps)):
            length = f"{timeline.seconds:.1f} s, shorter than a clip of {sampling.clip_size(1):.1f} s"
            texts.append(f"{counted(timeline.num_frames, 'frame')}, {length}; its frames repeat")
        if timeline.fps < MIN_FPS:
            texts.append(f"{timeline.fps:.3g} frames per second, under {MIN_FPS}; the network does not see fast motion")
        if reader.rotation:
            texts.append(f"rotation metadata of {reader.rotation:g} degrees, which is not applied, as in an evaluation")
        if reader.num_corrupt_frames:
            damaged = counted(reader.num_corrupt_frames, "frame")
            texts.append(f"{damaged} that the decoder marked as damaged; they are used, as in an evaluation")
        return texts
