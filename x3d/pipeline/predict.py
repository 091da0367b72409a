"""Predict what videos show, without a list and labels."""

import dataclasses
import functools
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from x3d.dataset.annotations import Video
from x3d.dataset.class_names import ClassNames, read_names
from x3d.errors import counted
from x3d.execution.outcome import Outcome, in_order
from x3d.execution.progress import with_progress
from x3d.execution.requirements import NodeRequirements
from x3d.execution.runner import RunnerSettings, open_runner
from x3d.pipeline.evaluate import EvaluateSettings, load_engine, plan_scorer
from x3d.pipeline.video_predictor import Prediction, VideoPredictor
from x3d.pipeline.workers import count_workers, task_resources

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

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
    evaluation = settings.evaluation
    engine, model_digest = load_engine(evaluation)
    runner_settings = _fit_to_videos(evaluation.runner, engine.device, evaluation.videos)
    scorer = plan_scorer(dataclasses.replace(evaluation, runner=runner_settings), engine, model_digest)
    requirements = functools.partial(
        NodeRequirements.from_here, [], engine.packages, scorer.model_path, model_digest, evaluation.videos
    )
    resources = task_resources(engine.device)
    del engine
    where = runner_settings.ray_address or counted(runner_settings.num_workers, "worker")
    logger.info("%s, %s, class names: %s", counted(len(evaluation.videos), "video"), where, settings.names.source)
    predictor = VideoPredictor(scorer, settings.names, settings.num_best, settings.step_seconds)
    with open_runner(runner_settings, requirements, resources) as runner:
        outcomes = runner.run(predictor, evaluation.videos)
        shown = with_progress(outcomes, len(evaluation.videos), evaluation.stop_at_first_failure)
        for outcome in in_order(shown, evaluation.videos):
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


def _fit_to_videos(runner: RunnerSettings, device: str, videos: Sequence[Video]) -> RunnerSettings:
    """Start no more workers than videos, so that each has more cores; and give long videos more time."""
    num_workers = min(count_workers(runner, device), len(videos))
    largest = max(os.path.getsize(video.path) if os.path.isfile(video.path) else 0 for video in videos)
    timeout_seconds = runner.timeout_seconds * max(1, largest / SHORT_BYTES)
    return dataclasses.replace(runner, num_workers=num_workers, timeout_seconds=timeout_seconds)


def _prediction(outcome: Outcome[Prediction]) -> Prediction:
    if outcome.value is None:
        return Prediction(outcome.video.path, reason=outcome.reason, text=outcome.text)
    return outcome.value
