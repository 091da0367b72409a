"""Score one video: decode, run the model on its views, aggregate; no view touches the disk."""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from x3d.dataset.annotations import Video
from x3d.errors import EngineError, RunError, ScoringError, VideoError
from x3d.execution.worker import worker_number
from x3d.network.engine import Engine, EngineInfo, check_runs, infer_padded, open_engine, split_devices
from x3d.network.model_file import read_model
from x3d.scoring.aggregate import SUM, aggregate_views, best_of_views, mean_of_views
from x3d.scoring.outputs import Outputs, explain_unusable, find_unusable, to_probabilities
from x3d.storage.provenance import versions
from x3d.storage.score_rows import VideoScores
from x3d.video.reader import VideoReader
from x3d.video.sampling import Clips, Sampling
from x3d.video.transform import Transform
from x3d.video.views import video_views


@dataclass(frozen=True)
class VideoScorer:
    """A picklable function that scores a video; each process loads the model once.

    Attributes:
        model_digest: of the model that the run started with; another one is not run.
        engine, precision: as open_engine takes them.
        device: as open_engine takes it; of several, as split_devices takes them, worker i opens device i mod n.
        batch_size: views per batch unless the model fixes it; a video's last batch may be shorter.
        num_threads: of a CPU engine.
        ensemble_method: sum or max.
        outputs: what the model should return.
    """

    model_path: str
    model_digest: str
    engine: str
    device: str
    precision: str
    num_threads: int
    batch_size: int
    sampling: Sampling
    transform: Transform
    ensemble_method: str
    outputs: Outputs = Outputs.SOFTMAX

    def __call__(self, video: Video) -> VideoScores:
        """Score a video.

        Raises:
            VideoError: the video cannot be used, or a view has scores that are not finite, as of a float16 .om.
            EngineError: the model cannot be loaded or run; the next call loads it again.
            RunError: the file at model_path is not the model that the run started with.
            ScoringError: the model returns something else than `outputs`.
        """
        with self.opened(video.path) as (reader, engine):
            views = self.view_probabilities(reader, engine, self.sampling)
            view_classes, view_probabilities = best_of_views(views)
            return VideoScores(
                scores=aggregate_views(views, self.ensemble_method),
                view_classes=view_classes,
                view_probabilities=view_probabilities,
                means=None if self.ensemble_method == SUM else mean_of_views(views),
                source=reader.source,
                rotation=reader.rotation,
                corrupt_frames=reader.num_corrupt_frames,
            )

    def open(self) -> EngineInfo:
        """Open the engine and run it once, a view on each of its threads: one that fails does so before any video.

        Raises:
            EngineError, RunError: as a call.
        """
        engine = self.kept_engine()
        check_runs(engine, min(self.batch_size, self.num_threads))
        return EngineInfo.of(engine, versions(engine.packages))

    def kept_engine(self) -> Engine:
        """Return the engine of this process, which stays open.

        Raises:
            EngineError, RunError: as a call.
        """
        model = self.model_path, self.model_digest
        devices = split_devices(self.device)
        device = devices[worker_number() % len(devices)]
        return _open_once(*model, self.engine, device, self.num_threads, self.precision)

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[tuple[VideoReader, Engine]]:
        """Open a video and the engine, which stays open for the next video unless it fails.

        Raises:
            EngineError, RunError, VideoError: as a call.
        """
        try:
            engine = self.kept_engine()
            with VideoReader(path) as reader:
                yield reader, engine
        except EngineError:
            _open_once.cache_clear()
            raise

    def view_probabilities(self, reader: VideoReader, engine: Engine, clips: Clips) -> np.ndarray:
        """Run every view of the clips of a video, and check the outputs.

        Returns:
            (V, num_classes) float32, probabilities, in order of the views.
        Raises:
            EngineError, ScoringError, VideoError: as a call.
        """
        rows = self.view_scores(reader, engine, clips)
        self._check(rows, reader.path)
        return to_probabilities(rows, self.outputs)

    def _check(self, rows: np.ndarray, path: str) -> None:
        """Raise an error of the video if scores are not finite, and one that ends the run if they are unusable."""
        overflown = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if len(overflown):
            raise VideoError("not_finite", path, f"view {overflown[0]}")
        unusable = np.flatnonzero(find_unusable(rows, self.outputs))
        if len(unusable):
            cause = explain_unusable(rows[unusable[0]], self.outputs)
            raise ScoringError(f"the output of model {self.model_path} for {path}, view {unusable[0]}, {cause}")

    def view_scores(self, reader: VideoReader, engine: Engine, clips: Clips) -> np.ndarray:
        """Run every view of the clips of a video.

        Returns:
            (V, num_classes) float32, in order of the views.
        """
        num_views = clips.num_clips * len(self.transform.crops())
        scores = np.zeros((num_views, engine.num_classes), dtype=np.float32)
        batch = np.empty((engine.batch_size or self.batch_size, *engine.view_shape), dtype=np.float32)
        numbers: list[int] = []
        for number, _ in video_views(reader, clips, self.transform, batch):
            numbers.append(number)
            if len(numbers) == len(batch) or number == num_views - 1:
                scores[numbers] = infer_padded(engine, batch[: len(numbers)])
                numbers.clear()
        return scores


@functools.lru_cache(maxsize=1)
def _open_once(
    model_path: str, model_digest: str, engine: str, device: str, num_threads: int, precision: str
) -> Engine:
    model = read_model(model_path)
    if model.digest != model_digest:
        raise RunError(
            f"model {model_path} has changed since the run started, no score of the other model is recorded; restore "
            "it to resume, or give another folder to score the other model"
        )
    return open_engine(model, engine, device, num_threads, precision)
