"""Which videos a run decodes, into which views, by which workers: what preprocessing and evaluation share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from x3d.config.loading import view_config
from x3d.dataset.annotations import Video, list_path, read_videos
from x3d.dataset.naming import views_per_video
from x3d.execution.runner import RunnerSettings
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform, view_shape

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode


@dataclass(frozen=True)
class VideoSettings:
    """Which videos to decode, into which views.

    Attributes:
        annotations: path of the list.
        videos: the whole list.
        path_prefix: the folder the listed paths are relative to.
        view_shape: (3, T, C, C), of one view.
        num_views: per video.
        stop_at_first_failure: else every failure is listed.
        view_config: the keys that decide the views, for the manifest.
    """

    annotations: Path
    videos: Sequence[Video]
    path_prefix: str
    sampling: Sampling
    transform: Transform
    view_shape: tuple[int, ...]
    num_views: int
    stop_at_first_failure: bool
    runner: RunnerSettings
    view_config: Mapping[str, Any]

    @staticmethod
    def read(cfg: "CfgNode", videos: Sequence[Video] | None = None) -> "VideoSettings":
        """Read the keys.

        Args:
            videos: None: those of the list.
        Raises:
            InputError: the list cannot be read.
        """
        return VideoSettings(
            annotations=list_path(cfg),
            videos=read_videos(cfg) if videos is None else videos,
            path_prefix=cfg.DATA.PATH_PREFIX,
            sampling=Sampling.from_cfg(cfg),
            transform=Transform.from_cfg(cfg),
            view_shape=view_shape(cfg),
            num_views=views_per_video(cfg),
            stop_at_first_failure=cfg.X3D_WORKERS.ON_ERROR == "raise",
            runner=RunnerSettings.from_cfg(cfg),
            view_config=view_config(cfg),
        )
