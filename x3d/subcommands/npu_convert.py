"""Convert an ONNX model with ATC, for each batch size.

An .onnx -> in --output for each batch size x3d_s_bs8.om, x3d_s_bs8.json (command, version of CANN, chip, precision
mode, type of the input, digests of both models) and ATC's log, x3d_s_bs8_atc.log. The paths of the .om are printed.

    python x3d_npu.py convert --model x3d_s.onnx --soc 310P3 --batchsize 1,8 --output om/

Run `source set_env.sh` of CANN before. A batch size that fails does not stop the others, and the exit status is 1 then.
No .om is replaced, and none appears before it is whole. The machine needs no NPU if --soc names the chip.
"""

import argparse
import logging
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, folder_name
from x3d.console import print_result
from x3d.errors import counted, format_problems
from x3d.subcommands.npu_options import add_conversion_options, find_cann, find_soc, suite_python, takes_float16

if TYPE_CHECKING:
    from x3d.pipeline.npu_convert import Conversions

logger = logging.getLogger(__name__)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_conversion_options(parser)
    parser.add_argument("--output", required=True, type=folder_name, metavar="DIR", help="folder for the .om")


def run(args: argparse.Namespace) -> int:
    """Convert, and report what was converted and what not."""
    from x3d.ascend.precision_modes import choose_mode
    from x3d.network.onnx_input import read_onnx_input
    from x3d.pipeline.npu_convert import ConvertSettings, convert
    from x3d.pipeline.npu_plan import choose_batch_sizes

    model, onnx_input = read_onnx_input(args.model)
    batch_sizes = choose_batch_sizes(args.batchsize, onnx_input)
    float16_input = takes_float16(args.input_fp16_nodes, onnx_input.name)
    soc, cann = find_soc(args.soc), find_cann()
    settings = ConvertSettings(
        model=model,
        onnx_input=onnx_input,
        soc=soc,
        mode=choose_mode(args.precision_mode, soc, cann),
        cann=cann,
        float16_input=float16_input,
        folder=Path(args.output),
    )
    return _report(convert(settings, batch_sizes), args.model, "prep_half/" if float16_input else "prep_data/")


def _report(result: "Conversions", model: str, views: str) -> int:
    if result.failed:
        sizes = ",".join(map(str, result.failed))
        reasons = [f"batch size {size}: {reason}" for size, reason in result.failed.items()]
        count = counted(len(result.failed), "conversion")
        logger.error("%s failed; repeat with --batchsize %s\n%s", count, sizes, format_problems(reasons))
    if result.converted:
        om = next(iter(result.converted.values()))
        check = [suite_python(), "x3d_npu.py", "check", "--model", model, "--om", str(om), "--input", views]
        logger.info("a conversion may change the scores; compare them next, for each .om: %s", shlex.join(check))
        print_result("\n".join(map(str, result.converted.values())))
    return EXIT_INCOMPLETE if result.failed else EXIT_DONE
