"""Make the tables of the documents from the results, so that no figure is typed by hand.

    python -m benchmarks.tables [--check]

Between `<!-- table: NAME -->` and `<!-- end -->` of each document comes the table NAME. With --check nothing is
written, and the exit status is 1 when a document differs.
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, ROOT

DOCUMENTS = ("README.md", "benchmarks/README.md", "benchmarks/parity.md")
PUBLISHED = {1: 333.2, 4: 381.6, 8: 386.8, 16: 365.2, 32: 358.9, 64: 354.9}
"""Views a second on Ascend 310P3 by batch size, as the original recipe reports; not measured here."""
ENGINES = {"openvino": "OpenVINO", "onnxruntime": "ONNX Runtime", "pytorch": "PyTorch eager"}
WORKER_KINDS = {"workers": "worker", "ray_nodes": "Ray node"}
NOT_MEASURED = "not measured yet"

Results = Mapping[str, Any]

_SECTION = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def load_results(folder: Path) -> dict[str, Any]:
    """Read every result of a folder, by its file's name."""
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}


def table(header: Sequence[str], rows: Sequence[Sequence[str]], result: Results | None = None) -> str:
    """Spell a table, and the conditions of the result it shows below it."""
    rows = rows or [[NOT_MEASURED, *[""] * (len(header) - 1)]]
    lines = [header, ["---"] * len(header), *rows]
    spelled = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return spelled + (f"\n{conditions(result)}\n" if result else "")


def conditions(result: Results) -> str:
    """Say what a result's figures were taken on."""
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    rounds = f"medians of {result['rounds']} rounds" if result["rounds"] > 1 else "one round"
    threads = [counted(result["threads"], "thread")] if "threads" in result else []
    threads += [f"{counted(result['threads_a_worker'], 'thread')} a worker"] if "threads_a_worker" in result else []
    counts = ", ".join([counted(machine["cores"], "core"), *threads])
    return f"{machine['processor']}, {counts}; {rounds}; Python {machine['python']}, {versions}."


def counted(number: int, noun: str) -> str:
    """Spell a number of things: 1 worker, 2 workers."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def batches(results: Results) -> str:
    """Views a second by batch size: published for the NPU, measured for the host."""
    measured = results.get("inference", {"batches": []})
    by_batch = {row["batch_size"]: row for row in measured["batches"]}
    sizes = sorted(PUBLISHED.keys() | by_batch.keys())
    published = [str(PUBLISHED.get(size, "")) for size in sizes]
    rows = [["views/s on Ascend 310P3, as the original recipe reports; not measured here", *published]]
    for name, label in ENGINES.items():
        rates = [f"{by_batch[size][name]['views_a_second']:.1f}" if size in by_batch else "" for size in sizes]
        rows.append([f"views/s on the host, {label}", *(rates if by_batch else [NOT_MEASURED, *rates[1:]])])
    return table(["batch", *map(str, sizes)], rows, results.get("inference")) + _figure(results, "inference")


def inference(results: Results) -> str:
    """Rate, latency and share of the matrix-product rate, by engine and batch size."""
    result = results.get("inference", {})
    header = ["engine", "batch", "views/s", "latency ms: median", "90 %", "99 %", "calls"]
    header += ["of the matrix-product rate", "times OpenVINO's throughput mode"]
    rows = []
    for name, label in ENGINES.items():
        for row in result.get("batches", ()):
            taken = row[name]
            latency = [f"{value:.1f}" for value in taken["latency_ms"].values()]
            share = f"{taken['share_of_gemm']:.0%} of {row['gemm_gflop_a_second']:.0f} GFLOP/s"
            rate = f"{taken['views_a_second']:.1f}"
            queued = (
                f"{taken['over_throughput_mode']:.2f} of {row['openvino_throughput_mode_views_a_second']:.1f} views/s"
            )
            rows.append([label, str(row["batch_size"]), rate, *latency, str(taken["calls"]), share, queued])
    return table(header, rows, result)


def preprocess(results: Results) -> str:
    """Time a video against the floor."""
    result = results.get("preprocess", {})
    header = ["video", "floor, s", "this suite, s", "times the floor", "views/s", "PySlowFast, s"]
    rows = [
        [
            row["video"],
            f"{row['floor_seconds']:.3f}",
            f"{row['ours_seconds']:.3f}",
            f"{row['ours_over_floor']:.2f}",
            f"{row['ours_views_a_second']:.1f}",
            f"{row['pyslowfast_seconds']:.1f}" if "pyslowfast_seconds" in row else NOT_MEASURED,
        ]
        for row in result.get("per_video", ())
    ]
    if result:
        total = result["total"]
        slow = f"{total['pyslowfast_seconds']:.1f}" if "pyslowfast_seconds" in total else NOT_MEASURED
        ours = [f"{total['floor_seconds']:.3f}", f"{total['ours_seconds']:.3f}", f"{total['ours_over_floor']:.2f}"]
        rows.append(["all", *ours, "", slow])
        for key, noun in {"one_worker": "one worker", "two_workers": "two workers"}.items():
            rate = f"{result['workers'][f'{key}_views_a_second']:.1f}"
            rows.append([f"{result['workers']['videos']} in all, {noun}, start-up included", "", "", "", rate, ""])
    return table(header, rows, result) + _figure(results, "preprocess")


def scoring(results: Results) -> str:
    """Time and memory of scoring against reading."""
    result = results.get("scoring", {})
    rows = []
    if result:
        for key, label in {"floor": "list and read every file", "ours": "x3d_postprocess.py"}.items():
            cost = result[key]
            rows.append([label, str(result["files"]), f"{cost['seconds']:.1f}", f"{cost['peak_megabytes']:.0f}"])
        rows.append(["ratio", "", f"{result['ours_over_floor']:.2f}", ""])
    return table(["", "files", "seconds", "peak memory, MB"], rows, result)


def end_to_end(results: Results) -> str:
    """Rates from videos to accuracy, by route."""
    result = results.get("end_to_end", {})
    routes = {
        "streaming": "x3d_evaluate.py",
        "files": "x3d_preprocess.py, x3d_infer.py, x3d_postprocess.py",
        "inference_alone": "inference alone, in as many processes",
        "pyslowfast": "files, BACKEND slowfast",
    }
    rows = []
    for key, label in routes.items() if result else ():
        taken = result.get(key)
        rates = [f"{taken['videos_an_hour']:.0f}", f"{taken['views_a_second']:.2f}"] if taken else [NOT_MEASURED, ""]
        rows.append([label, *rates])
    if result:
        rows.append(["share of inference alone that streaming reaches", "", _percent(result)])
        for key in ("files", "pyslowfast"):
            if key in result:
                times = result["streaming"]["views_a_second"] / result[key]["views_a_second"]
                rows.append([f"streaming, times {routes[key]}", "", f"{times:.2f}"])
    return table(["route", "videos/h", "views/s"], rows, result)


def _percent(result: Results) -> str:
    return f"{result['streaming_share_of_inference_alone']:.0%}"


def scaling(results: Results) -> str:
    """Rate by workers and by Ray nodes."""
    result = results.get("scaling", {})
    rows = []
    for name in ("x3d_preprocess", "x3d_evaluate") if result else ():
        for kind, noun in WORKER_KINDS.items():
            for row in result[name][kind]:
                rate = [f"{row['views_a_second']:.1f}", f"{row['speed_up']:.2f}"]
                rows.append([f"{name}.py", counted(row["number"], noun), f"{row['seconds']:.1f}", *rate])
    header = ["script", "on", "seconds", "views/s", "speed-up"]
    return table(header, rows, result) + _figure(results, "scaling")


def lengths(results: Results) -> str:
    """Time and the driver's memory by the number of videos."""
    result = results.get("scaling", {})
    rows = []
    for name in ("x3d_preprocess", "x3d_evaluate") if result else ():
        before: dict[str, float] = {}
        for row in result[name]["videos"]:
            further = ""
            if before:
                extra = (row["seconds"] - before["seconds"]) / (row["number"] - before["number"])
                further = f"{1000 * extra:.0f}"
            memory = f"{row['driver_peak_megabytes']:.0f}"
            rows.append([f"{name}.py", str(row["number"]), f"{row['seconds']:.1f}", further, memory])
            before = row
    return table(["script", "videos", "seconds", "ms a further video", "driver's peak memory, MB"], rows, result)


def overview(results: Results) -> str:
    """What the README says of speed, a line a question."""

    def say(name: str, text: Callable[[Results], str]) -> str:
        return text(results[name]) if name in results else NOT_MEASURED

    rows = [
        [
            "preprocessing, times decoding each frame once and saving the views",
            say("preprocess", lambda r: f"{r['total']['ours_over_floor']:.2f}"),
        ],
        [
            "PySlowFast's loader, times this suite's processor time",
            say("parity_S", lambda r: f"{r['native_over_pyslowfast']:.1f}"),
        ],
        [
            "`x3d_evaluate.py`, videos an hour (views a second)",
            say("end_to_end", lambda r: "{videos_an_hour:.0f} ({views_a_second:.1f})".format(**r["streaming"])),
        ],
        ["`x3d_evaluate.py`, share of inference alone", say("end_to_end", _percent)],
        [
            "scoring, times reading the files",
            say("scoring", lambda r: f"{r['ours_over_floor']:.2f} ({r['files']} files)"),
        ],
        ["scoring, peak memory", say("scoring", lambda r: f"{r['ours']['peak_megabytes']:.0f} MB")],
    ]
    return table(["question", "measured"], rows)


def parity(results: Results) -> str:
    """How far the views of both routes are apart, and the rate of one core."""
    rows, found = [], _parities(results)
    for size, result in found.items():
        videos = result["per_video"]
        apart = [f"{video['largest_difference']:.1e}" for video in videos]
        rows.append([f"X3D-{size}", "largest difference", *apart, ""])
        for key, label in {"native": "native", "pyslowfast": "PySlowFast"}.items():
            rates = [f"{video['views'] / video[f'{key}_seconds']:.1f}" for video in videos]
            rows.append(["", f"{label}, views/s", *rates, f"{result[f'{key}_views_a_second']:.1f}"])
        rows.append(["", "ratio", *[""] * len(videos), f"{result['native_over_pyslowfast']:.1f}"])
    names = [Path(video["video"]).stem for result in [*found.values()][:1] for video in result["per_video"]]
    return table(["", "", *names, "all"], rows, next(iter(found.values()), None))


def networks(results: Results) -> str:
    """How far the networks of both routes are apart."""
    found = _parities(results)
    labels = {
        "torch": "the two torch networks",
        "onnxruntime_between": "the two ONNX files, ONNX Runtime",
        "openvino_between": "the two ONNX files, OpenVINO",
        "onnxruntime_from_torch": "either ONNX file in ONNX Runtime, from PySlowFast's torch network",
        "openvino_from_torch": "either ONNX file in OpenVINO, from PySlowFast's torch network",
        "largest_probability": "(largest probability)",
    }
    rows = [[label, *(f"{result['networks'][key]:.2g}" for result in found.values())] for key, label in labels.items()]
    return table(["", *(f"X3D-{size}" for size in found)], rows if found else [])


def _parities(results: Results) -> dict[str, Results]:
    return {size: results[f"parity_{size}"] for size in ("XS", "S", "M") if f"parity_{size}" in results}


def _figure(results: Results, name: str) -> str:
    """Show a figure; every document that does is found by its own path to it."""
    return f"\n![{name}](FIGURES/{name}.svg)\n" if name in results else ""


TABLES: dict[str, Callable[[Results], str]] = {
    made.__name__: made
    for made in (batches, inference, preprocess, scoring, end_to_end, scaling, lengths, overview, parity, networks)
}


def fill(document: str, folder: str, results: Results) -> str:
    """Replace the tables of a document.

    Args:
        folder: of the figures, as the document has to name it.
    Raises:
        ValueError: the document names a table that does not exist.
    """

    def replace(match: re.Match[str]) -> str:
        if match[2] not in TABLES:
            raise ValueError(f"there is no table {match[2]!r}; there are {', '.join(TABLES)}")
        return f"{match[1]}\n{TABLES[match[2]](results).replace('FIGURES', folder)}\n{match[3]}"

    return _SECTION.sub(replace, document)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a document differs")
    args = parser.parse_args(argv)
    results = load_results(RESULTS)
    quick = [name for name, result in results.items() if result["quick"]]
    if quick:
        raise ValueError(f"{', '.join(quick)} in {RESULTS}: of a --quick run, which says nothing; remove or run anew")
    stale = []
    for name in DOCUMENTS:
        path = ROOT / name
        folder = "benchmarks/results" if path.parent == ROOT else "results"
        before = path.read_text()
        after = fill(before, folder, results)
        if before != after:
            stale.append(name)
            if not args.check:
                path.write_text(after)
    if args.check and stale:
        print(f"{', '.join(stale)} differ from the results; run python -m benchmarks.tables", file=sys.stderr)
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
