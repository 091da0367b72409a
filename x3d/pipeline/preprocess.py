"""Decode videos into a folder of views."""

import contextlib
import functools
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from x3d.dataset.annotations import Video
from x3d.dataset.naming import WHOLE, Shard
from x3d.errors import InputError, counted
from x3d.execution.progress import with_progress
from x3d.execution.requirements import NodeRequirements
from x3d.execution.runner import open_runner
from x3d.pipeline.run_line import describe_list, describe_workers, log_run
from x3d.pipeline.summary import RunSummary
from x3d.pipeline.video_settings import VideoSettings
from x3d.storage.entries import WrittenViews
from x3d.storage.manifest import Manifest
from x3d.storage.provenance import REFERENCE_DECODING, view_provenance
from x3d.storage.view_folder import ViewFolder
from x3d.storage.view_writer import ViewWriter
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform
from x3d.video.views import video_views

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode


@dataclass(frozen=True)
class PreprocessSettings(VideoSettings):
    """Which views to make of which videos, and where they go.

    Attributes:
        suffix: .npy or .bin.
        dtype: of the values in the files, float32 or float16.
        overwrite: remove the views and the manifest of an earlier run first.
        slowfast_cfg: decode with PySlowFast, which takes its whole configuration.
    """

    output_path: str
    suffix: str
    dtype: str
    overwrite: bool
    slowfast_cfg: "CfgNode | None" = None

    @classmethod
    def from_cfg(cls, cfg: "CfgNode") -> "PreprocessSettings":
        """Read the list and the keys that decide a preprocessing run.

        Raises:
            InputError: the list cannot be read, or no folder for the views is given.
        """
        options = cfg.X3D_PREPROCESS
        if not options.DATA_OUTPUT_PATH:
            raise InputError("X3D_PREPROCESS.DATA_OUTPUT_PATH is empty; give the folder for the views")
        common, path = VideoSettings.read(cfg), options.DATA_OUTPUT_PATH
        return cls(
            **vars(common),
            output_path=os.path.abspath(path) if common.runner.ray_address else path,
            suffix=f".{options.FORMAT}",
            dtype=options.DTYPE,
            overwrite=options.OVERWRITE,
            slowfast_cfg=cfg if options.BACKEND == "slowfast" else None,
        )


def preprocess(settings: PreprocessSettings, shard: Shard = WHOLE) -> RunSummary:
    """Decode the shard's videos whose views are missing.

    Raises:
        InputError: the folder cannot be used, or the views do not fit the disk; nothing is decoded.
        RunError: the folder cannot be written; the run can be resumed.
    """
    if settings.slowfast_cfg is not None:
        from x3d.slowfast import check_reference

        check_reference(settings.slowfast_cfg)
    packages = {} if settings.slowfast_cfg is None else REFERENCE_DECODING
    videos = shard.select(settings.videos)
    num_views = settings.num_views
    provenance = view_provenance(settings.view_config, settings.videos, num_views, packages)
    folder = ViewFolder(settings.output_path, settings.suffix, settings.view_shape, num_views, shard, settings.dtype)
    with contextlib.ExitStack() as stack:
        manifest, writer = stack.enter_context(folder.open(provenance, videos, settings.overwrite))
        paths = [settings.path_prefix, str(writer.scratch)]
        requirements = functools.partial(NodeRequirements.from_here, paths, packages, videos=videos)
        runner = stack.enter_context(open_runner(settings.runner, requirements))
        todo = [video for video in videos if not manifest.is_done(video.index)]
        space = _Space.of(folder, len(todo))
        listed = describe_list(settings.annotations, len(videos), len(todo), shard)
        log_run(listed, describe_workers(settings.runner), f"output {folder.path}: {space}")
        space.check()
        stack.enter_context(manifest.saved_on_exit())
        outcomes = runner.run(_video_function(settings, writer), todo)
        num_done = len(videos) - len(todo)
        for outcome in with_progress(outcomes, len(videos), settings.stop_at_first_failure, num_done):
            if outcome.value is None:
                manifest.record_failed(outcome.video, outcome.reason, outcome.text)
            else:
                manifest.record_done(outcome.video, outcome.value)
    return _summarise(videos, manifest)


@dataclass(frozen=True)
class _Space:
    """The bytes that missing views need, and those that are free on their disk."""

    folder: str
    num_views: int
    needed: int
    free: int

    @classmethod
    def of(cls, folder: ViewFolder, num_videos: int) -> "_Space":
        num_views = num_videos * folder.views_per_video
        return cls(str(folder.path), num_views, num_views * folder.view_bytes, shutil.disk_usage(folder.path).free)

    def __str__(self) -> str:
        return f"{counted(self.num_views, 'view')}, {self.needed / 1e9:.2f} GB of {self.free / 1e9:.2f} GB free"

    def check(self) -> None:
        """Check that they fit.

        Raises:
            InputError: they do not.
        """
        if self.needed > self.free:
            missing = f"{(self.needed - self.free) / 1e9:.2f} GB"
            raise InputError(f"{self.folder} has {missing} too little space for {counted(self.num_views, 'view')}")


def _video_function(settings: PreprocessSettings, writer: ViewWriter) -> Callable[[Video], WrittenViews]:
    """Choose what decodes a video and writes its views: this suite, or PySlowFast."""
    if settings.slowfast_cfg is not None:
        from x3d.slowfast import write_reference_views

        return functools.partial(write_reference_views, cfg=settings.slowfast_cfg, writer=writer)
    return functools.partial(write_views, sampling=settings.sampling, transform=settings.transform, writer=writer)


def write_views(video: Video, sampling: Sampling, transform: Transform, writer: ViewWriter) -> WrittenViews:
    """Decode a video and write its views, all or none.

    Raises:
        VideoError: the video cannot be used.
        OSError: the views cannot be written.
    """
    with VideoReader(video.path) as reader:
        hashes = writer.write(video, video_views(reader, sampling, transform))
        return WrittenViews(hashes, reader.source, reader.rotation, reader.num_corrupt_frames)


def _summarise(videos: Sequence[Video], manifest: Manifest) -> RunSummary:
    indices = {video.index for video in videos}
    done = [entry for index, entry in manifest.done().items() if index in indices]
    return RunSummary(
        num_videos=len(videos),
        num_done=len(done),
        failed=[entry for index, entry in manifest.failed().items() if index in indices],
        manifest=manifest.path,
        num_rotated=sum(entry["rotation"] != 0 for entry in done),
        num_corrupt=sum(entry["corrupt_frames"] != 0 for entry in done),
    )
