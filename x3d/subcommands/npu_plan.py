"""Print the commands from an ONNX model to its verdict on an NPU, on any machine.

An .onnx -> for each batch size the commands that convert it (ATC), compare its outputs, measure its throughput, infer
(ais_bench), score and judge. With --shell they are a script of bash, to keep with the results.

    python x3d_npu.py plan --cfg configs/X3D_S.yaml --model x3d_s.onnx --soc 310P3 --batchsize 1,8 --shell > ascend.sh

Name and shape of the input are the model's; a model of a fixed batch size has only that one. The chip is that of
`npu-smi info`, or --soc. ATC's default precision differs between releases, so the mode is always given; which modes
there are depends on the chip, and on the version of CANN if it is installed here.
"""

import argparse
import logging

from x3d.cli import EXIT_DONE
from x3d.console import print_result
from x3d.errors import InputError
from x3d.subcommands.npu_options import add_conversion_options, find_cann, find_soc, suite_python, takes_float16

logger = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument(
        "--cfg", default="X3D_S", metavar="FILE", help="yaml file, or the name of one in configs/ (default: X3D_S)"
    )
    add_conversion_options(parser)
    parser.add_argument(
        "--input", default="./prep_data/", metavar="DIR", help="folder of views (default: ./prep_data/)"
    )
    parser.add_argument("--shell", action="store_true", help="print a script with a loop over the batch sizes")


def run(args: argparse.Namespace) -> int:
    """Print the plan."""
    from x3d.ascend.atc import takes_path
    from x3d.ascend.cann import find_set_env
    from x3d.ascend.precision_modes import choose_mode
    from x3d.config.loading import describe_cfg, load_cfg
    from x3d.network.onnx_input import read_onnx_input
    from x3d.pipeline.npu_plan import Plan, choose_batch_sizes
    from x3d.video.transform import view_shape

    cfg = load_cfg(args.cfg, [])
    logger.info("configuration: %s", describe_cfg(cfg, args.cfg, ("DATA.NUM_FRAMES", "DATA.TEST_CROP_SIZE")))
    _, onnx_input = read_onnx_input(args.model)
    if onnx_input.view_shape != view_shape(cfg):
        raise InputError(
            f"{args.model} takes views of {onnx_input.view_shape}, and --cfg {args.cfg} describes {view_shape(cfg)}; "
            "give the configuration that the model was exported with"
        )
    soc = find_soc(args.soc)
    plan = Plan(
        cfg=args.cfg,
        model=args.model,
        onnx_input=onnx_input,
        soc=soc,
        mode=choose_mode(args.precision_mode, soc, find_cann()),
        batch_sizes=choose_batch_sizes(args.batchsize, onnx_input),
        views=args.input,
        float16_input=takes_float16(args.input_fp16_nodes, onnx_input.name),
        set_env=str(find_set_env()),
        python=suite_python(),
    )
    if not takes_path(args.model):
        rule = "ATC takes paths of letters, digits, '_', '-', '.' and '/' only; rename file or folder"
        logger.warning("--model %r: %s", args.model, rule)
    print_result(plan.script() if args.shell else plan.text())
    return EXIT_DONE
