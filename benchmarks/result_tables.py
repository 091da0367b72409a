"""Make the tables of the documents as Markdown: one function per table, from all results by file name.

Missing results are shown as NOT_MEASURED. The conditions of a result and its figure follow its table.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.labels import ROUTES, SCRIPTS, WORKER_KINDS, Results, conditions
from x3d.errors import counted

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


def preprocess(results: Results) -> str:
    """Time per video, compared with the floor."""
    result = results.get("preprocess", {})
    row = "{video} | {floor_seconds:.3f} | {ours_seconds:.3f} | {ours_over_floor:.2f} | {rate} | "
    rows = []
    for taken in result.get("per_video", ()):
        rows.append(row.format(rate=f"{taken['ours_views_a_second']:.1f}", **taken) + _pyslowfast_seconds(taken))
    if result:
        total, pool = result["total"], result["workers"]
        rows.append(row.format(video="all", rate="", **total) + _pyslowfast_seconds(total))
        for key, workers in {"one_worker": "one worker", "two_workers": "two workers"}.items():
            rate = f"{pool[f'{key}_views_a_second']:.1f}"
            rows.append(f"{pool['videos']} in all, {workers}, start-up included |  |  |  | {rate} | ")
    header = "video | floor, s | this suite, s | suite / floor | views/s | PySlowFast, s"
    return table(header, rows, result) + figure(results, "preprocess")


def _pyslowfast_seconds(taken: Results) -> str:
    return f"{taken['pyslowfast_seconds']:.1f}" if "pyslowfast_seconds" in taken else NOT_MEASURED


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


def end_to_end(results: Results) -> str:
    """Rates from videos to accuracy, by route."""
    result = results.get("end_to_end", {})
    rows = []
    if result:
        for key, label in ROUTES.items():
            row = "{} | {videos_an_hour:.0f} | {views_a_second:.2f}" if key in result else f"{{}} | {NOT_MEASURED} | "
            rows.append(row.format(label, **result.get(key, {})))
        share = result["streaming_share_of_inference_alone"]
        rows.append(f"streaming / inference alone |  | {share:.0%}")
        for key in ("files", "pyslowfast"):
            if key in result:
                times = result["streaming"]["views_a_second"] / result[key]["views_a_second"]
                rows.append(f"streaming / {ROUTES[key]} |  | {times:.2f}")
    return table("route | videos/h | views/s", rows, result) + figure(results, "end_to_end")


def scaling(results: Results) -> str:
    """Rate by workers and by Ray nodes."""
    result = results.get("scaling", {})
    row = "{} | {} | {seconds:.1f} | {views_a_second:.1f} | {speed_up:.2f}"
    rows = [
        row.format(script, counted(taken["number"], noun), **taken)
        for name, script in SCRIPTS.items()
        for kind, noun in WORKER_KINDS.items()
        for taken in result.get(name, {}).get(kind, ())
    ]
    return table("script | on | seconds | views/s | speed-up", rows, result) + figure(results, "scaling")


def lengths(results: Results) -> str:
    """Time and the driver's memory by the number of videos."""
    result = results.get("scaling", {})
    rows = []
    for name, script in SCRIPTS.items():
        taken = result.get(name, {}).get("videos", [])
        for before, row in zip([None, *taken], taken, strict=False):
            further = ""
            if before:
                seconds = (row["seconds"] - before["seconds"]) / (row["number"] - before["number"])
                further = f"{1000 * seconds:.0f}"
            memory = f"{row['driver_peak_megabytes']:.0f}"
            rows.append(f"{script} | {row['number']} | {row['seconds']:.1f} | {further} | {memory}")
    return table("script | videos | seconds | ms per further video | driver's peak memory, MB", rows, result)


OVERVIEW = (
    (
        "preprocess",
        "preprocessing time / (decode once + save), lower is better | {total[ours_over_floor]:.2f}",
    ),
    ("parity_S", "CPU time of PySlowFast's loader / ours | {native_over_pyslowfast:.1f}"),
    (
        "end_to_end",
        "`x3d_evaluate.py`, videos per hour (views per second) | "
        "{streaming[videos_an_hour]:.0f} ({streaming[views_a_second]:.1f})",
    ),
    ("end_to_end", "`x3d_evaluate.py`, rate as a share of inference alone | {streaming_share_of_inference_alone:.0%}"),
    ("scoring", "scoring time / (list and read the files) | {ours_over_floor:.2f} ({files} files)"),
    ("scoring", "scoring, peak memory | {ours[peak_megabytes]:.0f} MB"),
)


def overview(results: Results) -> str:
    """Summarise the speed for the README, one line per question."""
    rows = [
        row.format(**results[name]) if name in results else f"{row.split(' | ')[0]} | {NOT_MEASURED}"
        for name, row in OVERVIEW
    ]
    return table("question | measured", rows) + figure(results, "end_to_end")


def parity(results: Results) -> str:
    """Largest difference between the views of both routes, and the rate of one core."""
    rows, found = [], _parities(results)
    for size, result in found.items():
        videos = result["per_video"]
        apart = " | ".join(f"{video['largest_difference']:.1e}" for video in videos)
        rows.append(f"X3D-{size} | largest difference | {apart} | ")
        for key, label in {"native": "native", "pyslowfast": "PySlowFast"}.items():
            rates = " | ".join(f"{video['views'] / video[f'{key}_seconds']:.1f}" for video in videos)
            rows.append(f" | {label}, views/s | {rates} | {result[f'{key}_views_a_second']:.1f}")
        rows.append(f" | ratio{' | ' * len(videos)} | {result['native_over_pyslowfast']:.1f}")
    first = next(iter(found.values()), {})
    names = [Path(video["video"]).stem for video in first.get("per_video", ())]
    return table(" | ".join(["", "", *names, "all"]), rows, first)


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


TABLES: dict[str, Callable[[Results], str]] = {
    make.__name__: make
    for make in (
        preprocess,
        scoring,
        report,
        end_to_end,
        scaling,
        lengths,
        overview,
        parity,
        networks,
    )
}
