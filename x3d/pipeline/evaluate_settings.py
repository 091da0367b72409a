"""Which videos an evaluation scores with which model, as values read from the configuration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from x3d.config.loading import view_config
from x3d.dataset.annotations import Video, list_path, read_videos
from x3d.dataset.naming import views_per_video
from x3d.errors import InputError
from x3d.execution.runner import RunnerSettings
from x3d.scoring.outputs import Outputs
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform, view_shape

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode


@dataclass(frozen=True)
class EvaluateSettings:
    """Which videos to score with which model, and where the scores go.

    Attributes:
        annotations: path of the list.
        videos: the whole list.
        path_prefix: the folder the listed paths are relative to.
        view_shape: (3, T, C, C), of one view.
        num_views: per video.
        engine, precision: as open_engine takes them.
        device: as VideoScorer takes it.
        batch_size: views per batch, at most.
        stop_at_first_failure: else every failure is listed.
        view_config: the keys that decide the views, for the manifest.
        outputs: what the model returns.
    """

    annotations: Path
    videos: Sequence[Video]
    path_prefix: str
    sampling: Sampling
    transform: Transform
    view_shape: tuple[int, ...]
    num_views: int
    ensemble_method: str
    num_classes: int
    model_path: str
    engine: str
    device: str
    precision: str
    batch_size: int
    output_path: str
    stop_at_first_failure: bool
    runner: RunnerSettings
    view_config: Mapping[str, Any]
    outputs: Outputs

    @classmethod
    def from_cfg(cls, cfg: "CfgNode", videos: Sequence[Video] | None = None) -> "EvaluateSettings":
        """Read the list and the keys that decide an evaluation.

        Args:
            videos: score these instead of those of the list, into no folder.
        Raises:
            InputError: the list cannot be read, folder or model is not given, or PySlowFast is asked for.
        """
        options = cfg.X3D_EVALUATE
        if videos is None and not options.OUTPUT_PATH:
            raise InputError("X3D_EVALUATE.OUTPUT_PATH is empty; give the folder for the scores")
        if not options.MODEL_PATH:
            raise InputError("X3D_EVALUATE.MODEL_PATH is empty; give the .onnx, .xml or .om to run")
        for node in ("X3D_PREPROCESS", "X3D_POSTPROCESS"):
            if cfg[node].BACKEND != "native":
                raise InputError(
                    f"{node}.BACKEND {cfg[node].BACKEND}: PySlowFast's code needs files; set {node}.BACKEND native"
                )
        return cls(
            annotations=list_path(cfg),
            videos=read_videos(cfg) if videos is None else videos,
            path_prefix=cfg.DATA.PATH_PREFIX,
            sampling=Sampling.from_cfg(cfg),
            transform=Transform.from_cfg(cfg),
            view_shape=view_shape(cfg),
            num_views=views_per_video(cfg),
            ensemble_method=cfg.DATA.ENSEMBLE_METHOD,
            num_classes=cfg.MODEL.NUM_CLASSES,
            model_path=options.MODEL_PATH,
            engine=options.ENGINE,
            device=options.DEVICE,
            precision=options.PRECISION,
            batch_size=cfg.TEST.BATCH_SIZE,
            output_path=options.OUTPUT_PATH,
            stop_at_first_failure=cfg.X3D_WORKERS.ON_ERROR == "raise",
            runner=RunnerSettings.from_cfg(cfg),
            view_config=view_config(cfg),
            outputs=Outputs.from_cfg(cfg),
        )
