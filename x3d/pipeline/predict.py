"""Predict what videos show, without a list and labels."""

import dataclasses
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from x3d.dataset.annotations import Video
from x3d.dataset.class_names import ClassNames, read_names
from x3d.errors import counted
from x3d.execution.outcome import Outcome, in_order
from x3d.execution.progress import with_progress
from x3d.pipeline.evaluate_settings import EvaluateSettings
from x3d.pipeline.run_line import describe_model, log_run
from x3d.pipeline.scorers import count_scorers, describe_scorers, open_scoring_runner, plan_scorer, prepare_scorer
from x3d.pipeline.video_predictor import Prediction, VideoPredictor

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

SHORT_BYTES = 1 << 20
"""About the size of a video of Kinetics, for which X3D_WORKERS.TIMEOUT is meant."""


@dataclass(frozen=True)
class PredictSettings:
    """Which videos to predict with which model.

    Attributes:
        evaluation: how an evaluation of the videos scores them.
        num_best: classes of a whole video.
        step_seconds: name the class of each step of this length; 0: of the whole video.
    """

    evaluation: EvaluateSettings
    names: ClassNames
    num_best: int = 5
    step_seconds: float = 0

    @classmethod
    def from_cfg(
        cls,
        cfg: "CfgNode",
        videos: Sequence[Video],
        model: str = "",
        names: str = "",
        num_best: int = 5,
        step_seconds: float = 0,
    ) -> "PredictSettings":
        """Read the keys that decide the scores of a video.

        Args:
            videos: as x3d.dataset.input_videos.find_input_videos returns them.
            model, names: paths, instead of X3D_EVALUATE.MODEL_PATH and DATA.CLASS_NAMES.
        Raises:
            InputError: there is no model, names cannot be read, or PySlowFast is asked for.
        """
        cfg = cfg.clone()
        cfg.defrost()
        cfg.X3D_EVALUATE.MODEL_PATH = model or cfg.X3D_EVALUATE.MODEL_PATH
        evaluation = EvaluateSettings.from_cfg(cfg, videos)
        given = ClassNames(read_names(names, cfg.MODEL.NUM_CLASSES, "--names"), names) if names else None
        return cls(evaluation, given or ClassNames.from_cfg(cfg), num_best, step_seconds)


def predict(settings: PredictSettings) -> list[Prediction]:
    """Predict the classes of every video, in order.

    Raises:
        InputError: the model or engine cannot be used; nothing is started.
        RunError: the engine fails, or the model returns something else than the configured outputs.
    """
    return list(predict_each(settings))


def predict_each(settings: PredictSettings) -> Iterator[Prediction]:
    """Yield the prediction of each video, in order, as soon as it and all before it are known.

    Raises:
        InputError, RunError: as predict.
    """
    evaluation = _fit_to_videos(settings.evaluation)
    videos = evaluation.videos
    scorer = plan_scorer(evaluation)
    predictor = VideoPredictor(scorer, settings.names, settings.num_best, settings.step_seconds)
    with open_scoring_runner(evaluation, scorer, [], videos) as runner:
        engine = prepare_scorer(evaluation, runner, len(videos))
        model = describe_model(evaluation.model_path, engine, engine.batch_size or scorer.batch_size)
        names = f"class names: {settings.names.source}"
        log_run(counted(len(videos), "video"), model, describe_scorers(evaluation), names)
        outcomes = runner.run(predictor, videos)
        shown = with_progress(outcomes, len(videos), evaluation.stop_at_first_failure)
        for outcome in in_order(shown, videos):
            yield _prediction(outcome)


def describe_alike(predictions: Sequence[Prediction]) -> str:
    """Describe what suggests that the model ignores its input: equal scores of several videos; empty if they differ."""
    scored = [prediction for prediction in predictions if prediction.segments]
    scores = {
        tuple((found.label, found.probability) for found in segment.classes)
        for prediction in scored
        for segment in prediction.segments
    }
    if len(scored) < 2 or len(scores) > 1:
        return ""
    return f"all {len(scored)} videos have exactly the same scores: unless they are copies, the model ignores its input"


def _fit_to_videos(settings: EvaluateSettings) -> EvaluateSettings:
    """Start no more workers than videos, so that each has more cores; and give long videos more time."""
    num_workers = min(count_scorers(settings), len(settings.videos))
    largest = max(os.path.getsize(video.path) if os.path.isfile(video.path) else 0 for video in settings.videos)
    timeout_seconds = settings.runner.timeout_seconds * max(1, largest / SHORT_BYTES)
    runner = dataclasses.replace(settings.runner, num_workers=num_workers, timeout_seconds=timeout_seconds)
    return dataclasses.replace(settings, runner=runner)


def _prediction(outcome: Outcome[Prediction]) -> Prediction:
    if outcome.value is None:
        return Prediction(outcome.video.path, reason=outcome.reason, text=outcome.text)
    return outcome.value
