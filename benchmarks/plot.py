"""Draw the results as figures: benchmarks/results/<name>.svg from each <name>.json in that folder.

    python -m benchmarks.plot [--results DIR] [--output DIR]

The same results give the same bytes. Figures published by others, not measured here, are hollow and grey.
"""

import argparse
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.common import RESULTS, load_results
from benchmarks.labels import ENGINES, SCRIPTS, WORKER_KINDS, Results, conditions
from benchmarks.speed_tables import by_precision
from x3d.ascend.published import PUBLISHED
from x3d.errors import counted

BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#6e6e6e"
"""Distinguishable with any colour vision (Okabe and Ito)."""
MARKERS = {BLUE: "o", ORANGE: "s", GREEN: "^", PURPLE: "v", SKY: "P"}
WIDTH_INCHES = 8
STYLE = {
    "svg.hashsalt": "x3d",
    "svg.fonttype": "none",
    "figure.constrained_layout.w_pad": 0.15,  # inches; the reader's font may be wider than this machine's
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": "medium",
    "axes.axisbelow": True,
    "figure.titlesize": "large",
    "grid.color": "#dddddd",
    "legend.frameon": False,
}


def new_figure(title: str, result: Results, height_inches: float) -> Figure:
    """Make a figure with a title above and the conditions of its result below."""
    figure = Figure((WIDTH_INCHES, height_inches), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    figure.supxlabel(conditions(result).split("; Python")[0], x=0.99, ha="right", size="small", color=GREY)
    return figure


def label(axes: Axes, text: str, point: tuple[float, float], offset: tuple[float, float], **how: Any) -> None:
    """Write a text at an offset, in printer's points, from a point of the data."""
    axes.annotate(text, point, offset, textcoords="offset points", **{"size": "small", "va": "center", **how})


def legend_above(axes: Axes) -> None:
    """Place the legend above the axes, aligned right."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0, handletextpad=0.4)


def plain_ticks(axis: Any, ticks: Sequence[float]) -> None:
    """Set the only ticks of an axis, labelled with plain numbers also on a logarithmic axis."""
    axis.set_major_locator(FixedLocator(ticks))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())


def inference(result: Results) -> Figure:
    """Views per second by batch size: each engine's, the published ones, and the bound by the matrix-product rate."""
    figure = new_figure("X3D-S: views per second by batch size", result, 4.8)
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="batch size, views")
    axes.set_ylabel("views per second (logarithmic)")
    draw_engines(axes, result["batches"])
    draw_published(axes)
    product = statistics.median(row["gemm_gflop_a_second"] for row in result["batches"])
    bound = product / (2 * result["gmac_a_view"])
    axes.axhline(bound, color="black", linewidth=1, linestyle=":")
    text = f"{bound:.0f}: bound by this host's matrix-product rate of {product:.0f} GFLOP/s"
    label(axes, text, (min(PUBLISHED), bound), (0, 7))
    plain_ticks(axes.xaxis, sorted(PUBLISHED.keys() | {row["batch_size"] for row in result["batches"]}))
    decades = [10.0**power for power in range(-3, 7)]
    plain_ticks(axes.yaxis, decades)
    low, high = axes.dataLim.intervaly
    axes.set_ylim(max(level for level in decades if level < low), min(level for level in decades if level > high))
    axes.grid(axis="y")
    return figure


def draw_engines(axes: Axes, rows: Sequence[Results]) -> None:
    """Draw one line per engine; the lowest rate of a batch size is labelled below its marker, the others above."""
    lowest = {row["batch_size"]: min(row[name]["views_a_second"] for name in ENGINES if name in row) for row in rows}
    colours = iter(MARKERS)
    for name, engine in ENGINES.items():
        rates = {row["batch_size"]: row[name]["views_a_second"] for row in rows if name in row}
        if not rates:
            continue
        colour, largest = next(colours), max(rates)
        axes.plot([*rates], [*rates.values()], color=colour, marker=MARKERS[colour])
        label(axes, engine, (largest, rates[largest]), (12, 0), color=colour, size="medium")
        for size, rate in rates.items():
            label(
                axes, f"{rate:.1f}", (size, rate), (0, -10 if rate == lowest[size] else 10), ha="center", color=colour
            )


def draw_published(axes: Axes) -> None:
    """Draw the rates that the original recipe reports, marked as published."""
    sizes, rates = list(PUBLISHED), list(PUBLISHED.values())
    axes.plot(sizes, rates, color=GREY, linestyle="--", marker="D", markerfacecolor="white")
    for size, rate in PUBLISHED.items():
        label(axes, f"{rate:.0f}", (size, rate), (0, -11), ha="center", color=GREY)
    text = "Ascend 310P3: published by the original recipe, not measured here"
    label(axes, text, (sizes[0], rates[0]), (0, 18), color=GREY, size="medium")


def preprocess(result: Results) -> Figure:
    """Seconds per video on tmpfs and on the disk: the floor and this suite."""
    rows = {
        f"{kind},\nto {place}": taken for place in ("tmpfs", "disk") for kind, taken in result.get(place, {}).items()
    }
    figure = new_figure("30 views of a video: seconds in one process", result, 1.6 + 0.6 * len(rows))
    axes = figure.add_subplot(xscale="log", xlabel="seconds per video (logarithmic)")
    series = {
        "floor": (GREEN, "floor: decode every frame, save the views", ""),
        "ours": (BLUE, "this suite", "{ours_over_floor:.2f} times the floor"),
    }
    for key, (colour, name, note) in series.items():
        times = [taken[f"{key}_seconds"] for taken in rows.values()]
        axes.plot(times, range(len(rows)), color=colour, marker=MARKERS[colour], linestyle="", label=name)
        for y, (seconds, taken) in enumerate(zip(times, rows.values(), strict=True)):
            label(axes, f"{seconds:.2g}", (seconds, y), (0, 11), ha="center", color=colour)
            label(axes, note.format(**taken), (seconds, y), (0, -11), ha="center", color=colour)
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    plain_ticks(axes.xaxis, [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5])
    axes.margins(x=0.2)
    axes.grid(axis="x")
    legend_above(axes)
    return figure


def end_to_end(result: Results) -> Figure:
    """Views per second by route and precision, in front of the rate of inference alone."""
    bars = []
    for precision, taken in by_precision(result):
        bars.append((f"inference alone, {precision}", taken["inference_alone"], taken["inference_alone"], GREY, ""))
        share = f"\n{taken['streaming_share_of_inference_alone']:.0%} of inference alone"
        bars.append(
            (f"streaming:\nx3d_evaluate.py, {precision}", taken["streaming"], taken["inference_alone"], BLUE, share)
        )
    name = "by files: x3d_preprocess.py,\nx3d_infer.py, x3d_postprocess.py, f32"
    bars.append((name, result["files"], result["precisions"]["f32"]["inference_alone"], BLUE, ""))
    figure = new_figure("From videos to accuracy: views per second by route", result, 1 + 0.6 * len(bars))
    axes = figure.add_subplot(xlabel="views per second")
    for y, (_, route, alone, colour, note) in enumerate(bars):
        rate, bound = route["views_a_second"], alone["views_a_second"]
        axes.barh(y, bound, height=0.6, color="#e8e8e8")
        axes.barh(y, rate, height=0.6, color=colour)
        text = f"{rate:.1f} views/s, {route['videos_an_hour']:.0f} videos/h{note}"
        label(axes, text, (max(rate, bound), y), (8, 0))
    axes.set_yticks(range(len(bars)), [bar[0] for bar in bars])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    return figure


def scaling(result: Results) -> Figure:
    """Speed-up by workers and by Ray nodes, with the limit that the cores set."""
    cores = result["machine"]["cores"]
    numbers = [(row["number"], noun) for kind, noun in WORKER_KINDS.items() for row in result["x3d_evaluate"][kind]]
    figure = new_figure("Speed-up over one worker, and over one Ray node of one core", result, 3.6)
    axes = figure.add_subplot(ylabel="times as fast")
    for shift, colour, (name, script) in zip((-0.2, 0.2), (BLUE, ORANGE), SCRIPTS.items(), strict=True):
        speed_ups = [row["speed_up"] for kind in WORKER_KINDS for row in result[name][kind]]
        positions = [x + shift for x in range(len(speed_ups))]
        bars = axes.bar(positions, speed_ups, width=0.36, color=colour, label=script)
        axes.bar_label(bars, fmt="%.2f", fontsize="small", padding=2)
    for x, (number, _) in enumerate(numbers):
        name = "" if x else f"all that {counted(cores, 'core')} can give"
        axes.hlines(min(number, cores), x - 0.4, x + 0.4, color="black", linestyle=":", label=name)
    axes.set_xticks(range(len(numbers)), [counted(*number) for number in numbers])
    axes.tick_params(axis="x", length=0)
    plain_ticks(axes.yaxis, range(cores + 1))
    axes.margins(y=0.1)
    legend_above(axes)
    return figure


FIGURES: dict[str, Callable[[Results], Figure]] = {
    draw.__name__: draw for draw in (inference, preprocess, end_to_end, scaling)
}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of results (default: benchmarks/results)")
    parser.add_argument("--output", type=Path, help="folder for the figures (default: that of the results)")
    args = parser.parse_args(argv)
    for name, result in load_results(args.results).items():
        if name in FIGURES:
            path = (args.output or args.results) / f"{name}.svg"
            with style.context(["default", STYLE]):
                FIGURES[name](result).savefig(path, metadata={"Date": None})
            print(path)


if __name__ == "__main__":
    main()
