"""Run a model over a folder of views on this machine: what `python -m ais_bench` does on an NPU, with its flags.

A folder of <view>_<label>.npy or .bin, each (1, 3, T, C, C) float32 -> <output>/<output_dirname>/<view>_<label>_0.bin,
each NUM_CLASSES float32, and <output>/<output_dirname>_summary.json.

    python x3d_infer.py --model x3d_s.onnx --input prep_data/ --output ./ --output_dirname result_bs8 --batchsize 8

Without --input it measures on zeros: python x3d_infer.py --model x3d_s.onnx --batchsize 8 --loop 20
"""

import argparse
import logging
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from x3d.cli import EXIT_DONE, fail, guarded
from x3d.errors import EngineError, RunError

if TYPE_CHECKING:
    import numpy as np

    from x3d.network.engine import Engine
    from x3d.storage.ais_bench_summary import Summary

logger = logging.getLogger("x3d_infer")


def build_parser() -> argparse.ArgumentParser:
    """Build ais_bench's command line; each flag may be spelled with dashes too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)

    def add(flag: str, *more: str, **settings: object) -> None:
        names = [flag, *more] + ([flag[:2] + flag[2:].replace("_", "-")] if "_" in flag else [])
        parser.add_argument(*names, **settings)  # type: ignore[arg-type]

    add("--model", "-m", required=True, metavar="FILE", help="the .onnx to run, or OpenVINO's .xml")
    add("--input", "-i", metavar="DIR", help="folder of views, .npy or .bin; without it zeros are run")
    add("--output", "-o", metavar="DIR", help="folder for the result folder")
    add("--output_dirname", metavar="NAME", help="name of the result folder (default: date and time)")
    add("--outfmt", default="BIN", choices=["BIN", "NPY", "TXT"], help="format of the results (default: BIN)")
    add("--batchsize", type=int, metavar="N", help="views a batch (default: the model's, or 1)")
    add("--loop", "-l", type=int, default=1, metavar="N", help="times each batch is run (default: 1)")
    add("--warmup_count", type=int, default=1, metavar="N", help="batches run before measuring (default: 1)")
    add("--pure_data_type", default="zero", choices=["zero", "random"], help="input without --input (default: zero)")
    add("--device", "-d", default="0", help="a number: the CPU; or as the engine names it: GPU, cuda:0 (default: 0)")
    add("--display_all_summary", type=_flag, default=False, metavar="BOOL", help="show transfer times too")
    add("--engine", default="auto", choices=["auto", "openvino", "onnxruntime"], help="auto is openvino")
    return parser


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "yes", "no", "t", "f", "y", "n"):
        raise argparse.ArgumentTypeError(f"true or false expected, got {text!r}")
    return text.lower() in ("true", "1", "yes", "t", "y")


def run(args: argparse.Namespace) -> int:
    """Check everything, run the batches, write results and summary."""
    if args.output_dirname and not args.output:
        return fail("--output_dirname names a folder in --output; give --output too")
    if args.loop < 1 or args.warmup_count < 0 or (args.batchsize is not None and args.batchsize < 1):
        return fail("--loop and --batchsize are at least 1, --warmup_count at least 0")
    folder = result_folder(args)

    from x3d.network.engine import open_engine
    from x3d.storage.ais_bench_summary import Summary
    from x3d.storage.view_reader import check_inputs, list_inputs

    paths = list_inputs(args.input) if args.input else []
    engine = open_engine(args.model, args.engine, args.device)
    batch_size = args.batchsize or engine.batch_size or 1
    if engine.batch_size not in (None, batch_size):
        return fail(f"--batchsize {batch_size}: {args.model} has the fixed batch size {engine.batch_size}")
    check_inputs(paths, engine.view_shape)
    logger.info("%s: %s, batches of %d", engine.name, args.model, batch_size)

    summary = Summary(batch_size)
    if paths:
        infer_files(engine, paths, folder, summary, args)
    else:
        batch = pure_batch((batch_size, *engine.view_shape), args.pure_data_type)
        measure(engine, batch, summary, args.loop, args.warmup_count)
    summary.report(sys.argv, f"{folder}_summary.json" if folder else None, args.display_all_summary)
    return EXIT_DONE


def result_folder(args: argparse.Namespace) -> Path | None:
    """Name the result folder, None without --output.

    Raises:
        ValueError: it holds files, which would mix with this run's.
    """
    if not args.output:
        return None
    folder = Path(args.output) / (args.output_dirname or time.strftime("%Y_%m_%d-%H_%M_%S"))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder} holds files of another run; remove it or give another --output_dirname")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--output {args.output}: {error.strerror}") from error
    return folder


def infer_files(
    engine: "Engine", paths: Sequence[str], folder: Path | None, summary: "Summary", args: argparse.Namespace
) -> None:
    """Run every file through the engine, batch by batch, and write each view's outputs.

    The folder has `.partial` in its name until it is whole, so that a stopped run is not taken for a short one.
    """
    from tqdm import tqdm

    from x3d.dataset.naming import result_stem
    from x3d.storage.result_folder import write_result
    from x3d.storage.view_reader import batched, read_batch

    partial = folder and folder.with_name(f"{folder.name}.partial")
    if partial:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    with tqdm(total=len(paths), desc="views", unit="view") as progress:
        for start, names in batched(paths, summary.batch_size):
            batch = read_batch(names, engine.view_shape, summary.batch_size)
            outputs = measure(engine, batch, summary, args.loop, 0 if start else args.warmup_count)
            for number, name in enumerate(names):
                rows = [output[number : number + 1] for output in outputs]
                if folder and partial:
                    written = write_result(str(partial), result_stem(name), rows, f".{args.outfmt.lower()}")
                    summary.add_file(start + number, name, [str(folder / Path(path).name) for path in written])
            progress.update(len(names))
    if folder and partial:
        partial.replace(folder)


def measure(
    engine: "Engine", batch: "np.ndarray", summary: "Summary", loop: int, warmup_count: int
) -> list["np.ndarray"]:
    """Run a batch `loop` times, each timed, after untimed ones; return its outputs.

    Raises:
        RunError: the engine fails.
    """
    from x3d.network.engine import run_batch

    try:
        for _ in range(warmup_count):
            run_batch(engine, batch)
        for _ in range(loop):
            start = time.perf_counter()
            outputs = run_batch(engine, batch)
            summary.compute_ms.append(1000 * (time.perf_counter() - start))
    except EngineError as error:
        raise RunError(str(error)) from error
    return outputs


def pure_batch(shape: tuple[int, ...], data_type: str) -> "np.ndarray":
    """Make a batch for measuring: zeros, or seeded standard normal values."""
    import numpy as np

    if data_type == "zero":
        return np.zeros(shape, dtype=np.float32)
    return np.random.RandomState(0).standard_normal(shape).astype(np.float32)


def main(argv: Sequence[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    return guarded(lambda: run(args))


if __name__ == "__main__":
    raise SystemExit(main())
