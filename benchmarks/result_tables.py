"""Make the tables of the documents as Markdown: one function per table, from all results by file name.

Missing results are shown as NOT_MEASURED. The conditions of a result and its figure follow its table.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.labels import Results, conditions

NOT_MEASURED = "not measured yet"


def table(header: str, rows: Iterable[str], result: Results | None = None) -> str:
    """Format a table, followed by the conditions of its result.

    Args:
        header, rows: cells separated by " | ".
    """
    num_columns = header.count("|") + 1
    rows = list(rows) or [NOT_MEASURED + " | " * (num_columns - 1)]
    lines = [header, " | ".join(["---"] * num_columns), *rows]
    text = "".join(f"| {line} |\n" for line in lines)
    return text + (f"\n{conditions(result)}\n" if result else "")


def figure(results: Results, name: str) -> str:
    """Link a figure; the document replaces FIGURES by its path to the folder."""
    return f"\n![{name}](FIGURES/{name}.svg)\n" if name in results else ""


def scoring(results: Results) -> str:
    """Time and memory of scoring, compared with reading."""
    result = results.get("scoring", {})
    rows = []
    if result:
        row = "{} | {} | {seconds:.1f} | {peak_megabytes:.0f}"
        rows.append(row.format("list and read every file", result["files"], **result["floor"]))
        rows.append(row.format("x3d_postprocess.py", result["files"], **result["ours"]))
        rows.append(f"ratio |  | {result['ours_over_floor']:.2f} | ")
    return table(" | files | seconds | peak memory, MB", rows, result)


def report(results: Results) -> str:
    """Time and memory of reports and comparisons, of both kinds of folders."""
    result = results.get("report", {})
    rows = []
    for kind, name in (("evaluation", "folder of x3d_evaluate.py"), ("result_files", "result files")):
        costs = result.get(kind, {})
        for command in ("only_read", "report", "compare"):
            if command in costs:
                row = f"{name} | {command.replace('_', ' ')} | {{seconds:.1f}} | {{peak_megabytes:.0f}}"
                rows.append(row.format(**costs[command]))
    return table(" | act | seconds | peak memory, MB", rows, result)


def parity(results: Results) -> str:
    """Largest difference between the views of both routes, and the rate of one core."""
    rows, found = [], _parities(results)
    for size, result in found.items():
        videos = result["per_video"]
        apart = " | ".join(f"{video['largest_difference']:.1e}" for video in videos)
        rows.append(f"X3D-{size} | largest difference | {apart}")
        for key, label in {"native": "native", "pyslowfast": "PySlowFast"}.items():
            rates = " | ".join(f"{video['views'] / video[f'{key}_seconds']:.1f}" for video in videos)
            rows.append(f" | {label}, views/s | {rates}")
        ratios = " | ".join(f"{video['pyslowfast_seconds'] / video['native_seconds']:.1f}" for video in videos)
        rows.append(f" | ratio | {ratios}")
    first = next(iter(found.values()), {})
    names = [Path(video["video"]).stem for video in first.get("per_video", ())]
    return table(" | ".join(["", "", *names]), rows, first)


def networks(results: Results) -> str:
    """Largest difference between the networks of both routes."""
    found = _parities(results)
    labels = {
        "torch": "the two torch networks",
        "onnxruntime_between": "the two ONNX files, ONNX Runtime",
        "openvino_between": "the two ONNX files, OpenVINO",
        "onnxruntime_from_torch": "either ONNX file in ONNX Runtime, from PySlowFast's torch network",
        "openvino_from_torch": "either ONNX file in OpenVINO, from PySlowFast's torch network",
        "largest_probability": "(largest probability)",
    }
    rows = []
    for key, label in labels.items():
        rows.append(" | ".join([label, *(f"{result['networks'][key]:.2g}" for result in found.values())]))
    return table(" | ".join(["", *(f"X3D-{size}" for size in found)]), rows if found else ())


def _parities(results: Results) -> dict[str, Results]:
    return {size: results[f"parity_{size}"] for size in ("XS", "S", "M") if f"parity_{size}" in results}


TABLES: dict[str, Callable[[Results], str]] = {make.__name__: make for make in (scoring, report, parity, networks)}
