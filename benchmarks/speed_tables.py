"""Make the tables of speed, scaling and memory as Markdown, as result_tables.py makes the others."""

from collections.abc import Callable

from benchmarks.clips import SIZES
from benchmarks.labels import FILES, PRECISIONS, SCRIPTS, WORKER_KINDS, Results
from benchmarks.result_tables import NOT_MEASURED, figure, table
from x3d.errors import counted

MAX_WORKER_MEGABYTES = 400
PLACES = ("tmpfs", "disk")


def preprocess(results: Results) -> str:
    """Time per video, compared with the floor, by folder and kind of clips."""
    result = results.get("preprocess", {})
    row = (
        "{place} | {kind} | {num} | {floor_seconds:.3f} | {ours_seconds:.3f} | {ours_over_floor:.2f} "
        "({lower_quartile:.2f} to {upper_quartile:.2f}) | {views_a_second:.0f}"
    )
    rows = [
        row.format(place=place, kind=kind, num=result["clips"][kind], **taken)
        for place in PLACES
        for kind, taken in result.get(place, {}).items()
    ]
    header = "written to | clips | number | floor, s | this suite, s | suite / floor (quartiles) | views/s"
    return table(header, rows, result) + figure(results, "preprocess")


def by_precision(result: Results) -> list[tuple[str, Results]]:
    """List the precisions of a result of end_to_end, float32 first."""
    measured = result.get("precisions", {})
    return [(precision, measured[precision]) for precision in PRECISIONS if precision in measured]


def end_to_end(results: Results) -> str:
    """Rates from videos to accuracy, by route and precision."""
    result = results.get("end_to_end", {})
    rows = []
    row = "{} | {} | {videos_an_hour:.0f} | {views_a_second:.1f} | {share} | {first}"
    for precision, taken in by_precision(result):
        share = (
            f"{taken['streaming_share_of_inference_alone']:.2f} "
            f"({taken['lowest_share']:.2f} to {taken['highest_share']:.2f})"
        )
        first = f"{taken['first_result_seconds']:.1f}"
        rows.append(row.format("x3d_evaluate.py", precision, share=share, first=first, **taken["streaming"]))
        alone = "inference alone, in as many processes"
        rows.append(row.format(alone, precision, share="", first="", **taken["inference_alone"]))
    if result:
        rows.append(row.format(FILES, "f32", share="", first="", **result["files"]))
    header = "route | precision | videos/h | views/s | streaming / inference alone (range) | first result, s"
    return table(header, rows, result) + figure(results, "end_to_end")


def scaling(results: Results) -> str:
    """Rate by workers and by Ray nodes."""
    result = results.get("scaling", {})
    row = "{} | {} | {few_seconds:.1f} | {seconds:.1f} | {views_a_second:.1f} | {speed_up:.2f}{spread}"
    rows = []
    for name, script in SCRIPTS.items():
        for kind, noun in WORKER_KINDS.items():
            for taken in result.get(name, {}).get(kind, ()):
                apart = taken["lowest_speed_up"] != taken["highest_speed_up"]
                spread = " ({lowest_speed_up:.2f} to {highest_speed_up:.2f})".format(**taken) if apart else ""
                rows.append(row.format(script, counted(taken["number"], noun), spread=spread, **taken))
    header = "script | on | 2 clips, s | 40 clips, s | views/s of the other 38 | speed-up of these (range)"
    return table(header, rows, result) + figure(results, "scaling")


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


def memory(results: Results) -> str:
    """Peak memory of a worker, by script and kind of videos, with the limit."""
    result = results.get("scaling", {})
    row = "{script} | {videos} | {peak_megabytes[worker]:.0f} | {limit} | {peak_megabytes[driver]:.0f}"
    rows = [row.format(limit=MAX_WORKER_MEGABYTES, **taken) for taken in result.get("memory", ())]
    return table("script | videos | worker's peak memory, MB | limit, MB | driver's, MB", rows, result)


def _preprocess(result: Results) -> str:
    return ", ".join(f"{taken['ours_over_floor']:.2f} ({kind})" for kind, taken in result["tmpfs"].items())


def _parity(result: Results) -> str:
    return ", ".join(f"{ratio:.0f} ({kind})" for kind, ratio in parity_ratios(result).items())


def parity_ratios(result: Results) -> dict[str, float]:
    """Divide PySlowFast's processor time by ours, over the clips of each size."""
    ratios = {}
    for size in SIZES:
        videos = [video for video in result["per_video"] if video["video"].startswith(size.name)]
        slow, own = (sum(video[f"{name}_seconds"] for video in videos) for name in ("pyslowfast", "native"))
        if own:
            ratios[size.name] = slow / own
    return ratios


def _rates(result: Results) -> str:
    text = "{videos_an_hour:.0f} ({views_a_second:.1f})"
    return ", ".join(f"{text.format(**taken['streaming'])} in {name}" for name, taken in by_precision(result))


def _shares(result: Results) -> str:
    return ", ".join(
        f"{taken['streaming_share_of_inference_alone']:.2f} in {name}" for name, taken in by_precision(result)
    )


OVERVIEW: tuple[tuple[str, str, Callable[[Results], str]], ...] = (
    ("preprocess", "preprocessing time / (decode once + save), on tmpfs, lower is better", _preprocess),
    ("parity_S", "processor time of PySlowFast's loader / ours", _parity),
    ("end_to_end", "`x3d_evaluate.py`, videos per hour (views per second)", _rates),
    ("end_to_end", "`x3d_evaluate.py`, rate as a share of inference alone", _shares),
    ("scoring", "scoring time / (list and read the files)", lambda result: f"{result['ours_over_floor']:.2f}"),
    ("scoring", "scoring, peak memory", lambda result: f"{result['ours']['peak_megabytes']:.0f} MB"),
)


def overview(results: Results) -> str:
    """Summarise the speed for the README, one line per question."""
    rows = [
        f"{question} | {(answer(results[name]) if name in results else '') or NOT_MEASURED}"
        for name, question, answer in OVERVIEW
    ]
    return table("question | measured", rows) + figure(results, "end_to_end")


TABLES: dict[str, Callable[[Results], str]] = {
    make.__name__: make for make in (preprocess, end_to_end, scaling, lengths, memory, overview)
}
