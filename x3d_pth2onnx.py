"""Export an X3D checkpoint to ONNX and compare the file's outputs with the checkpoint's.

A checkpoint of PySlowFast, pytorchvideo or mmaction2 -> an .onnx with input `image` (N, 3, T, C, C) float32 and output
`class` (N, NUM_CLASSES) float32 probabilities.

    python x3d_pth2onnx.py --cfg configs/X3D_S.yaml TEST.CHECKPOINT_FILE_PATH x3d_s.pyth \\
        X3D_PTH2ONNX.ONNX_OUTPUT_PATH x3d_s.onnx

ONNX Runtime and OpenVINO run the file beside the network on seeded views; above X3D_PTH2ONNX.TOLERANCE none is written,
and an earlier file of that name is removed.
"""

if __name__ == "__main__":  # Ctrl-C must not interrupt the imports with a traceback
    import _signal  # type: ignore[import-not-found]

    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT, _signal.SIGTERM))
    from x3d.commands import pth2onnx

    pth2onnx()

import argparse
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, fail, script_main

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode

logger = logging.getLogger(__name__)

READS = (
    "DATA.NUM_FRAMES",
    "DATA.TRAIN_CROP_SIZE",
    "DATA.TEST_CROP_SIZE",
    "TEST.CHECKPOINT_FILE_PATH",
    "MODEL",
    "X3D",
    "RESNET",
    "X3D_PTH2ONNX",
)


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Export, and report whether the file passed."""
    if not cfg.X3D_PTH2ONNX.ENABLE:
        logger.info("X3D_PTH2ONNX.ENABLE is False: nothing to do")
        return EXIT_DONE

    from x3d.network import EXPORT_FORMAT
    from x3d.pipeline.export import ExportSettings, export_checkpoint

    settings = ExportSettings.from_cfg(cfg)
    result = export_checkpoint(settings)
    if not result.passed:
        return fail(
            f"{result.path} differs from {settings.checkpoint} by more than X3D_PTH2ONNX.TOLERANCE "
            f"{settings.tolerance:.2e}: it is not written",
            EXIT_INCOMPLETE,
        )
    batch_size = f"batch size {settings.batch_size}" if settings.batch_size else "dynamic batch size"
    shape = ", ".join(map(str, settings.view_shape))
    logger.info(
        "%s: format %d, opset %d, %s, input (N, %s)", result.path, EXPORT_FORMAT, settings.opset, batch_size, shape
    )
    return EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__, run, argv, reads=READS)
