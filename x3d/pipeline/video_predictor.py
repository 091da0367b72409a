"""Predict the classes of one video: of the whole video as an evaluation does, or step by step."""

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
from x3d.video.windows import SlidingClips, Timeline, cut_steps

MIN_FPS = 10
UNIFORM = 1.001
"""Times the probability of each class if all have the same, with room for rounding."""
LONG_SECONDS = 30
"""Of a video that may show more than one thing."""


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
        segments: one, which is the whole video; or its parts, each with its best class alone.
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
        step_seconds: name the class of each step of this length; 0: of the whole video.
    """

    scorer: VideoScorer
    names: ClassNames
    num_best: int
    step_seconds: float

    def __call__(self, video: Video) -> Prediction:
        """Predict the classes of a video.

        Raises:
            EngineError, RunError, ScoringError, VideoError: as VideoScorer.
        """
        with self.scorer.opened(video.path) as (reader, engine):
            timeline = Timeline.from_reader(reader)
            if self.step_seconds:
                segments = list(self._slide(reader, engine, timeline))
            else:
                views = self.scorer.view_probabilities(reader, engine, self.scorer.sampling)
                best = best_classes(aggregate_views(views, self.scorer.ensemble_method)[None], self.num_best)[0]
                segments = [self._segment(0.0, timeline.seconds, views, best.tolist())]
            warnings = self._warnings(reader, timeline)
            if max(segment.best.probability for segment in segments) * engine.num_classes < UNIFORM:
                warnings.append("all classes have the same score: the model ignores its input, or is not trained")
            return Prediction(video.path, segments, warnings)

    def _slide(self, reader: VideoReader, engine: Engine, timeline: Timeline) -> Iterator[Segment]:
        """Find the best class in the window of each step, and merge neighbouring steps with one class."""
        edges = cut_steps(timeline, self.step_seconds)
        clips = SlidingClips.of_steps(edges, timeline, self.scorer.sampling)
        views = self.scorer.view_probabilities(reader, engine, clips)
        by_clip = views.reshape(clips.num_clips, -1, views.shape[1])
        windows = (np.concatenate(by_clip[first:stop]) for first, stop in clips.windows())
        labels = [int(aggregate_views(window, self.scorer.ensemble_method).argmax()) for window in windows]
        steps = np.split(views, len(labels))
        start = 0
        for label, same in itertools.groupby(labels):
            stop = start + len(list(same))
            yield self._segment(edges[start], edges[stop], np.concatenate(steps[start:stop]), [label])
            start = stop

    def _segment(self, start: float, end: float, views: np.ndarray, labels: Sequence[int]) -> Segment:
        """Describe classes by the views of a part of the video: (V, C) float32."""
        means = mean_of_views(views)
        num_agreeing = np.bincount(best_of_views(views)[0], minlength=len(means))
        classes = [
            ClassScore(label, self.names.name(label), float(means[label]), int(num_agreeing[label])) for label in labels
        ]
        return Segment(float(start), float(end), len(views), classes)

    def _warnings(self, reader: VideoReader, timeline: Timeline) -> list[str]:
        """List what is unusual about a video that was decoded."""
        sampling = self.scorer.sampling
        texts = []
        if timeline.num_frames < math.floor(sampling.clip_size(timeline.fps)):
            length = f"{timeline.seconds:.2f} s, shorter than a clip of {sampling.clip_size(1):.2f} s"
            texts.append(f"{counted(timeline.num_frames, 'frame')}, {length}; its frames repeat")
        if timeline.seconds > LONG_SECONDS and not self.step_seconds:
            clips = counted(sampling.num_clips, "clip")
            texts.append(f"{timeline.seconds:.0f} s, scored by {clips} spread over it; --every names its parts")
        if timeline.fps < MIN_FPS:
            texts.append(f"{timeline.fps:.3g} frames per second, under {MIN_FPS}; the network does not see fast motion")
        if reader.rotation:
            texts.append(f"rotation metadata of {reader.rotation:g} degrees, which is not applied, as in an evaluation")
        if reader.num_corrupt_frames:
            damaged = counted(reader.num_corrupt_frames, "frame")
            texts.append(f"{damaged} that the decoder marked as damaged; they are used, as in an evaluation")
        return texts
