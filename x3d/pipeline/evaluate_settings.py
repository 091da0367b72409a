"""Which videos an evaluation scores with which model, as values read from the configuration."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from x3d.dataset.annotations import Video
from x3d.errors import InputError
from x3d.pipeline.video_settings import VideoSettings
from x3d.scoring.outputs import Outputs

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode


@dataclass(frozen=True)
class EvaluateSettings(VideoSettings):
    """Which videos to score with which model, and where the scores go.

    Attributes:
        engine, precision: as open_engine takes them.
        device: as VideoScorer takes it.
        batch_size: views per batch, at most.
        outputs: what the model returns.
    """

    ensemble_method: str
    num_classes: int
    model_path: str
    engine: str
    device: str
    precision: str
    batch_size: int
    output_path: str
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
            **vars(VideoSettings.read(cfg, videos)),
            ensemble_method=cfg.DATA.ENSEMBLE_METHOD,
            num_classes=cfg.MODEL.NUM_CLASSES,
            model_path=options.MODEL_PATH,
            engine=options.ENGINE,
            device=options.DEVICE,
            precision=options.PRECISION,
            batch_size=cfg.TEST.BATCH_SIZE,
            output_path=options.OUTPUT_PATH,
            outputs=Outputs.from_cfg(cfg),
        )
