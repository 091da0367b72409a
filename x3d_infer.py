"""Run a model over a folder of views on this machine: what `python -m ais_bench` does on an NPU, with its flags.

A folder of <view>_<label>.npy or .bin, each (1, 3, T, C, C) float32 or float16 ->
<output>/<output_dirname>/<view>_<label>_0.bin, each NUM_CLASSES float32, and <output>/<output_dirname>_summary.json.
Views are converted to the type that the model takes.

    python x3d_infer.py --model x3d_s.onnx --input prep_data/ --output ./ --output_dirname result_bs8 --batchsize 8

Without --input it measures on zeros: python x3d_infer.py --model x3d_s.onnx --batchsize 8 --loop 20
"""

if __name__ == "__main__":  # Ctrl-C must not interrupt the imports with a traceback
    import _signal  # type: ignore[import-not-found]

    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT, _signal.SIGTERM))
    from x3d.commands import infer

    infer()

import argparse
import dataclasses
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from x3d.cli import EXIT_DONE, EXIT_INCOMPLETE, fail, guarded
from x3d.config.options import check_options
from x3d.console import print_result

logger = logging.getLogger(__name__)


def build_parser() -> argparse.ArgumentParser:
    """Build ais_bench's command line; each flag is accepted with dashes too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)

    def add(flag: str, *more: str, **settings: object) -> None:
        names = [flag, *more] + ([flag[:2] + flag[2:].replace("_", "-")] if "_" in flag else [])
        parser.add_argument(*names, **settings)  # type: ignore[arg-type]

    add("--model", "-m", required=True, metavar="FILE", help="the .onnx to run, or OpenVINO's .xml")
    add("--input", "-i", metavar="DIR", help="folder of views, .npy or .bin; without it zeros are run")
    add("--output", "-o", metavar="DIR", help="folder for the result folder; without it no results are written")
    add("--output_dirname", metavar="NAME", help="name of the result folder (default: date and time)")
    add("--outfmt", default="BIN", choices=["BIN", "NPY", "TXT"], help="format of the results (default: BIN)")
    add("--batchsize", type=int, metavar="N", help="views per batch (default: the model's, or 1)")
    add("--loop", "-l", type=int, default=1, metavar="N", help="times each batch is run (default: 1)")
    add("--warmup_count", type=int, default=1, metavar="N", help="batches run before measuring (default: 1)")
    add("--pure_data_type", default="zero", choices=["zero", "random"], help="input without --input (default: zero)")
    add("--device", "-d", default="0", help="a number: the CPU; or as the engine names it: GPU, cuda:0 (default: 0)")
    add("--display_all_summary", type=_flag, default=False, metavar="BOOL", help="show transfer times too")
    add("--engine", default="auto", choices=["auto", "openvino", "onnxruntime"], help="auto is openvino")
    add("--precision", default="f32", choices=["f32", "bf16", "f16", "tf32"], help="what to compute in (default: f32)")
    return parser


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "yes", "no", "t", "f", "y", "n"):
        raise argparse.ArgumentTypeError(f"true or false expected, got {text!r}")
    return text.lower() in ("true", "1", "yes", "t", "y")


def run(args: argparse.Namespace) -> int:
    """Run the views and report as ais_bench does."""
    if args.output_dirname and not args.output:
        return fail("--output_dirname names a folder in --output; give --output too")
    if args.input == "":
        return fail("--input is empty; give the folder of views, or leave it out to measure on generated data")
    if args.loop < 1 or args.warmup_count < 0 or (args.batchsize is not None and args.batchsize < 1):
        return fail("--loop and --batchsize are at least 1, --warmup_count at least 0")

    from x3d.pipeline.infer import InferSettings, infer
    from x3d.storage.result_folder import check_result_name

    folder = None
    if args.output:
        check_result_name(args.output_dirname or "")
        folder = Path(args.output) / (args.output_dirname or time.strftime("%Y_%m_%d-%H_%M_%S"))
    elif args.input:
        logger.warning("without --output the views are run and no results are written")
    names = {field.name for field in dataclasses.fields(InferSettings)} - {"folder", "args"}
    summary = infer(InferSettings(folder=folder, args=sys.argv, **{name: getattr(args, name) for name in names}))
    print_result("\n".join(summary.lines(args.display_all_summary)))
    return EXIT_INCOMPLETE if summary.missing_videos else EXIT_DONE


def main(argv: Sequence[str] | None = None) -> int:
    parser = build_parser()
    check_options(parser, argv)
    args = parser.parse_args(argv)
    return guarded(lambda: run(args))
