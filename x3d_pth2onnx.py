"""Export an X3D checkpoint to ONNX and prove the file equal to the checkpoint.

A .pyth of PySlowFast's model zoo -> an .onnx with input `image` (N, 3, T, C, C) float32 and output `class`
(N, NUM_CLASSES) float32 probabilities.

    python x3d_pth2onnx.py --cfg configs/X3D_S.yaml TEST.CHECKPOINT_FILE_PATH x3d_s.pyth \\
        X3D_PTH2ONNX.ONNX_OUTPUT_PATH x3d_s.onnx

ONNX Runtime and OpenVINO run the file beside the network on seeded views; above X3D_PTH2ONNX.TOLERANCE no file is left,
not even an earlier one of that name.
"""

import argparse
import logging
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, fail, script_main

if TYPE_CHECKING:
    from fvcore.common.config import CfgNode
    from torch import nn

logger = logging.getLogger("x3d_pth2onnx")


def run(cfg: "CfgNode", args: argparse.Namespace) -> int:
    """Load, export, prove; the file appears under its name only when it passed."""
    options = cfg.X3D_PTH2ONNX
    if not options.ENABLE:
        logger.info("X3D_PTH2ONNX.ENABLE is False: nothing to do")
        return EXIT_DONE
    target = options.ONNX_OUTPUT_PATH
    if not target.endswith(".onnx"):
        return fail(f"X3D_PTH2ONNX.ONNX_OUTPUT_PATH is {target!r}; give the .onnx file to write")
    folder = os.path.dirname(os.path.abspath(target))
    if not os.path.isdir(folder):
        return fail(f"X3D_PTH2ONNX.ONNX_OUTPUT_PATH {target}: the folder {folder} is not there; make it first")

    import copy

    from x3d.network import EXPORT_FORMAT
    from x3d.network.export import check_parity, fold_batch_norm, write_onnx
    from x3d.video.transform import view_shape

    checkpoint = options.CHECKPOINT_FILE_PATH or cfg.TEST.CHECKPOINT_FILE_PATH
    model = load_model(cfg, checkpoint)
    logger.info("%s fits, %.3f M parameters", checkpoint, sum(p.numel() for p in model.parameters()) / 1e6)
    folded = copy.deepcopy(model)
    fold_batch_norm(folded)

    partial = f"{target}.partial.onnx"
    pathlib.Path(target).unlink(missing_ok=True)
    try:
        write_onnx(folded, partial, view_shape(cfg), options.OPSET, options.BATCH_SIZE)
        passed = True
        for difference in check_parity(model, partial, view_shape(cfg), options.BATCH_SIZE):
            logger.info(
                "%s, batch %d: largest difference %.2e", difference.engine, difference.batch_size, difference.largest
            )
            passed = passed and difference.largest <= options.TOLERANCE
        if not passed:
            text = f"{target} differs from {checkpoint} by more than X3D_PTH2ONNX.TOLERANCE {options.TOLERANCE:.2e}"
            return fail(f"{text}: it is not written", EXIT_INCOMPLETE)
        os.replace(partial, target)
    finally:
        pathlib.Path(partial).unlink(missing_ok=True)
    batch = options.BATCH_SIZE or "dynamic"
    shape = str(view_shape(cfg))[1:-1]
    logger.info("%s: format %d, opset %d, batch %s, input (N, %s)", target, EXPORT_FORMAT, options.OPSET, batch, shape)
    return EXIT_DONE


def load_model(cfg: "CfgNode", checkpoint: str) -> "nn.Module":
    """Build the network of X3D_PTH2ONNX.BACKEND in eval mode and fill it with the checkpoint."""
    if cfg.X3D_PTH2ONNX.BACKEND == "slowfast":
        from x3d.slowfast import load_reference_model

        return load_reference_model(cfg, checkpoint)

    from x3d.network.checkpoint import load_checkpoint
    from x3d.network.model import X3D, Architecture

    model = X3D(Architecture.from_cfg(cfg)).eval()
    load_checkpoint(model, checkpoint)
    return model


def main(argv: Sequence[str] | None = None) -> int:
    return script_main(__doc__ or "", run, argv)


if __name__ == "__main__":
    raise SystemExit(main())
