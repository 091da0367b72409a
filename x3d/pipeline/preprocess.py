"""Decode videos into a folder of views."""

import contextlib
import functools
import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from x3d.dataset.annotations import Video, first_present, read_list
from x3d.dataset.naming import WHOLE, Shard
from x3d.execution.outcome import Outcome
from x3d.execution.progress import with_progress
from x3d.execution.requirements import Needs
from x3d.execution.runner import open_workers
from x3d.pipeline.summary import RunSummary
from x3d.storage.manifest import Manifest
from x3d.storage.provenance import view_facts
from x3d.storage.view_folder import ViewFolder
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling
from x3d.video.transform import Transform
from x3d.video.views import video_views

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)


def preprocess(cfg: "CfgNode", shard: Shard = WHOLE) -> RunSummary:
    """Check the list and the folder, then decode the videos whose views are missing.

    Raises:
        ValueError: list, folder or configuration cannot be used, or the views do not fit the disk; nothing is started.
        RunError: the folder cannot be written; the run can be resumed.
    """
    options = cfg.X3D_PREPROCESS
    if not options.DATA_OUTPUT_PATH:
        raise ValueError("X3D_PREPROCESS.DATA_OUTPUT_PATH is empty; give the folder for the views")
