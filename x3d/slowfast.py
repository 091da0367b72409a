"""Run the stages with the code of PySlowFast 9839d13 and x3d.patch, to compare this suite's own stages with.

File names, layouts and the JSON line are this suite's; the values come from PySlowFast's dataset and loader, its
network, and its TestMeter.
"""

import contextlib
import importlib
import io
import logging
import re
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fvcore.common.config import CfgNode
from torch import nn

from x3d.config.keys import SECTIONS
from x3d.dataset.annotations import Video
from x3d.dataset.naming import views_per_video
from x3d.errors import InputError, VideoError
from x3d.network.checkpoint import check_own_layout, load_weights, open_checkpoint
from x3d.network.checkpoint_cfg import compared_config
from x3d.storage.entries import WrittenViews
from x3d.storage.provenance import digest
from x3d.storage.view_writer import ViewWriter
from x3d.video.container import open_container
from x3d.video.source import Source, read_source

COMMIT = "9839d1318c0ae17bd82c6a121e5640aebc67f126"

_GET = "git clone https://github.com/facebookresearch/SlowFast"
_RESET = f"git -C SlowFast reset --hard {COMMIT}"
_PATCH = "patch -d SlowFast -p1 < x3d.patch"
_INSTALL = f"pip install torch=={torch.__version__.split('+')[0]}"  # so that pip chooses the matching torchvision
_STAGES = ("slowfast.datasets.loader", "slowfast.models", "slowfast.utils.checkpoint", "slowfast.utils.meters")
_PATCHED_OUT = ("detectron2", "fairscale", "pytorchvideo")
_SEPARATOR = "\x1f"  # a control character that no path contains and str.splitlines does not split at
_CAUSE = re.compile(r"with (?:error|exception:) (.*)")


def check_reference(cfg: CfgNode) -> None:
    """Check, before anything starts, that PySlowFast can be used.

    Raises:
        InputError: PySlowFast or a package that it needs is not found, or it is not patched or of another commit; the
            text names the command to run.
    """
    reference_cfg(cfg)
    for module in _STAGES:
        _import(module)


def datasets_digest() -> str:
    """Hash the files of PySlowFast that decide the views: its datasets and its defaults.

    Raises:
        InputError: PySlowFast is not found.
    """
    folder = Path(_import("slowfast").__path__[0])
    paths = [*sorted(folder.glob("datasets/*.py")), folder / "config" / "defaults.py"]
    return digest({str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in paths})


def reference_cfg(cfg: CfgNode) -> CfgNode:
    """Build PySlowFast's configuration: its defaults, overridden by this suite's values, for a CPU and PyAV.

    Raises:
        InputError: as check_reference.
    """
    defaults = _import("slowfast.config.defaults")
    slowfast_cfg: CfgNode = defaults.get_cfg()
    clone = Path(defaults.__file__).parents[2]
    if any(section not in slowfast_cfg for section in SECTIONS):
        raise InputError(f"BACKEND slowfast: {clone} is PySlowFast without x3d.patch; run: {_RESET} && {_PATCH}")
    try:
        slowfast_cfg.merge_from_other_cfg(cfg)
    except (KeyError, ValueError) as error:
        raise InputError(
            f"BACKEND slowfast: {clone} rejects this configuration ({error}), so it is of another commit or has "
            f"another x3d.patch; run: {_RESET} && {_PATCH}"
        ) from error
    slowfast_cfg.DATA.DECODING_BACKEND = "pyav"
    slowfast_cfg.NUM_GPUS = 0
    return slowfast_cfg


def _import(name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer releases deprecate what a commit of 2021 imports
            return importlib.import_module(name)
    except ImportError as error:
        missing = error.name or str(error)
    if missing == "slowfast":
        raise InputError(
            f"BACKEND slowfast needs PySlowFast, which Python does not find; run: {_GET} && {_RESET} && {_PATCH} && "
            f"{_INSTALL} torchvision simplejson psutil && export PYTHONPATH=$PWD/SlowFast"
        )
    package = missing.split(".")[0]
    if package == "slowfast":
        folders = ", ".join(importlib.import_module("slowfast").__path__)
        raise InputError(f"BACKEND slowfast: {folders} has no module {missing}, so it is not PySlowFast; run: {_GET}")
    if package in _PATCHED_OUT:
        raise InputError(f"BACKEND slowfast: PySlowFast without x3d.patch imports {package}; run: {_PATCH}")
    raise InputError(f"BACKEND slowfast: PySlowFast needs {package}; run: {_INSTALL} {package}")


def write_reference_views(video: Video, cfg: CfgNode, writer: ViewWriter) -> WrittenViews:
    """Decode a video with PySlowFast's Kinetics dataset and loader and write its views, all or none.

    Returns:
        Without rotation and damaged frames, which PySlowFast does not report.
    Raises:
        VideoError: the file cannot be read or changes meanwhile, or PySlowFast could not decode the video in its ten
            tries.
        OSError: the views cannot be written.
    """
    torch.set_num_threads(1)
    source = read_source(video.path)
    open_container(video.path).close()  # PySlowFast would also open a script that names other files
    with tempfile.TemporaryDirectory() as folder, _captured_output() as output:
        (Path(folder) / "test.csv").write_text(f"{video.path}{_SEPARATOR}{video.label}\n")
        slowfast_cfg = reference_cfg(cfg)
        slowfast_cfg.DATA.PATH_TO_DATA_DIR = folder
        slowfast_cfg.DATA.PATH_PREFIX = ""
        slowfast_cfg.DATA.PATH_LABEL_SEPARATOR = _SEPARATOR
        slowfast_cfg.DATA_LOADER.NUM_WORKERS = 0
        slowfast_cfg.DATA_LOADER.PIN_MEMORY = False
        slowfast_cfg.TEST.BATCH_SIZE = 1
        loader = _import("slowfast.datasets.loader").construct_loader(slowfast_cfg, "test")
        return WrittenViews(writer.write(video, _load_views(loader, video, output, source)), source)


def _load_views(loader: Any, video: Video, output: io.StringIO, source: Source) -> Iterator[tuple[int, np.ndarray]]:
    """Yield number and array of each view; a failure has the last cause that PySlowFast printed or logged.

    The file is compared with its source after the last view, before the views get their names.
    """
    try:
        for pathways, _, number, _ in loader:
            yield int(number), pathways[0].numpy()
    except RuntimeError as error:
        causes = _CAUSE.findall(output.getvalue())
        raise VideoError("reference_failed", video.path, causes[-1] if causes else str(error)) from error
    if source.has_changed(video.path):
        raise VideoError("changed", video.path)


@contextlib.contextmanager
def _captured_output() -> Iterator[io.StringIO]:
    """Capture what PySlowFast prints and logs; it contains the cause of a failure, once per try."""
    output = io.StringIO()
    logger, handler = logging.getLogger("slowfast"), logging.StreamHandler(output)
    before = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        with contextlib.redirect_stdout(output):
            yield output
    finally:
        logger.removeHandler(handler)
        logger.level, logger.propagate = before


class SinglePathway(nn.Module):
    """Pass a tensor to a network of PySlowFast, which takes a list of one tensor per pathway."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = self.network([x])
        return output


def load_reference_model(cfg: CfgNode, checkpoint: str) -> nn.Module:
    """Build PySlowFast's network and load a checkpoint as its test script does.

    PySlowFast ignores the entries of a checkpoint that do not fit the network; here they are an error.

    Raises:
        InputError: as check_reference, open_checkpoint and load_weights; or it is not as PySlowFast writes it.
    """
    check_reference(cfg)
    opened = open_checkpoint(checkpoint, cfg.X3D_PTH2ONNX.LAYOUT, cfg.X3D_PTH2ONNX.WEIGHTS)
    check_own_layout(opened)
    slowfast_cfg = reference_cfg(cfg)
    slowfast_cfg.TEST.CHECKPOINT_FILE_PATH = checkpoint
    network: nn.Module = _import("slowfast.models").build_model(slowfast_cfg)
    load_weights(network, opened, compared_config(cfg))
    _import("slowfast.utils.checkpoint").load_test_checkpoint(slowfast_cfg, network)
    return SinglePathway(network).eval()


class ReferenceMeter:
    """Aggregates and counts one video at a time with PySlowFast's TestMeter.

    Raises:
        InputError: as check_reference.
    """

    def __init__(self, cfg: CfgNode, num_videos: int) -> None:
        check_reference(cfg)
        self._num_views = views_per_video(cfg)
        self._num_added = 0
        self._meter = _import("slowfast.utils.meters").TestMeter(
            num_videos,
            self._num_views,
            cfg.MODEL.NUM_CLASSES,
            overall_iters=1,
            ensemble_method=cfg.DATA.ENSEMBLE_METHOD,
        )

    def aggregate(self, scores: np.ndarray, label: int) -> np.ndarray:
        """Add the views of the next video.

        Args:
            scores: (V, num_classes) float32, in the order of the views.
        Returns:
            (num_classes,) float32.
        """
        video, self._num_added = self._num_added, self._num_added + 1
        views = video * self._num_views + torch.arange(self._num_views)
        self._meter.update_stats(torch.from_numpy(scores), torch.full((self._num_views,), label), views)
        aggregated: np.ndarray = self._meter.video_preds[video].numpy()
        return aggregated

    def final_line(self, ks: Sequence[int]) -> dict[str, str]:
        """Make the final line: the percentage of videos whose label is among the k best classes, for each k."""
        self._meter.finalize_metrics(ks=tuple(ks))
        return dict(self._meter.stats)
