"""Measure whether a narrower precision changes the score: the verdict of x3d_compare.py on the demo's clips.

    python -m benchmarks.precision [--quick] [--num 320] [--seed 2026]

`demo.make_videos --hard` makes clips, of which the demo's trained network classifies four in five. x3d_evaluate.py
scores them in f32 and in each other precision that the processor has natively, and x3d_compare.py compares each folder
with that of f32, as a user would.
"""

import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.agreement import DEMO_CFG, export_demo, open_native
from benchmarks.common import ROOT, build_parser, run_measured, script, write_results
from demo.make_videos import make_videos
from x3d.cli import EXIT_USAGE

CFG = ["--cfg", DEMO_CFG]
QUICK_KEYS = ["TEST.NUM_ENSEMBLE_VIEWS", "1", "TEST.NUM_SPATIAL_CROPS", "3"]


def compare(keys: Sequence[str], folders: Path, precision: str) -> dict[str, Any]:
    """Run x3d_compare.py on the evaluations in f32 and in another precision.

    Raises:
        ValueError: it found wrong input; the text contains its stderr.
    """
    output = folders / f"compared_{precision}"
    flags = ["--reference", str(folders / "f32"), "--candidate", str(folders / precision), "--output", str(output)]
    command = [*script("x3d_compare.py", CFG), *flags, *keys]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode == EXIT_USAGE:
        raise ValueError(ran.stderr)
    content = json.loads((output / "comparison.json").read_text())
    decision = content["decision"]
    return {
        "top1": content["candidate"]["top1"],
        "reference_top1": content["reference"]["top1"],
        **{name: content[name] for name in ("lost", "gained", "num_videos")},
        **{name: decision[name] for name in ("verdict", "drop_points", "low_points", "high_points", "margin_points")},
        "num_videos_to_decide": decision["num_videos_to_decide"],
        "views_percent": content["views"]["percent"],
        "largest_difference": content["max_difference"],
        "differences": content["differences"],
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--num", type=int, help="clips (default: 320, with --quick 2)")
    parser.add_argument("--seed", type=int, default=2026, help="seed of the clips (default: 2026)")
    args = parser.parse_args(argv)
    num_videos = args.num or (2 if args.quick else 320)
    keys = QUICK_KEYS if args.quick else []
    with tempfile.TemporaryDirectory() as name:
        data, folders = Path(name) / "hard", Path(name)
        make_videos(str(data), num_videos, args.seed, hard=True)
        model_path = export_demo(folders)
        listed = {"DATA__PATH_TO_DATA_DIR": data, "DATA__PATH_PREFIX": data / "val"}
        native, seconds = list(open_native(model_path, num_threads=1)), {}
        for precision in native:
            run = {"X3D_EVALUATE__MODEL_PATH": model_path, "X3D_EVALUATE__OUTPUT_PATH": folders / precision}
            command = script("x3d_evaluate.py", [*CFG, *keys], **listed, **run, X3D_EVALUATE__PRECISION=precision)
            seconds[precision] = run_measured(command).seconds
        comparisons = {precision: compare(keys, folders, precision) for precision in native[1:]}
    figures = {
        "seed": args.seed,
        "videos": num_videos,
        "threads_a_worker": 1,
        "seconds": seconds,
        "comparisons": comparisons,
    }
    write_results("precision", args, figures)


if __name__ == "__main__":
    main()
