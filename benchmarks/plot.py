"""Draw the results as figures: benchmarks/results/<name>.svg from <name>.json, for those that are there.

python -m benchmarks.plot [--results DIR] [--output DIR]
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS, load_results
from benchmarks.result_tables import ENGINES, WORKER_KINDS, counted

COLOURS = ("#0072b2", "#d55e00", "#009e73")
"""Told apart by readers with any colour vision (Okabe and Ito)."""
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 800, 380, 56, 64, 44
LEAST_NOTED = 18
"""Height of a bar that has room for a note."""

Results = Mapping[str, Any]


@dataclass(frozen=True)
class Bars:
    """A figure of bars in groups, one colour a series.

    Attributes:
        values: of each series, one a group.
        notes: written into the bars, as values.
        line: a level to compare with, and what it is.
    """

    title: str
    groups: Sequence[str]
    values: Mapping[str, Sequence[float]]
    notes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    line: tuple[float, str] | None = None


def text(x: float, y: float, content: str, **attributes: str) -> str:
    """Spell a text element; `text_anchor="middle"` says text-anchor."""
    spelled = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.1f}" y="{y:.1f}"{spelled}>{escape(content)}</text>'


def draw(bars: Bars) -> str:
    """Draw a figure as SVG."""
    highest = max([*(value for values in bars.values.values() for value in values), bars.line[0] if bars.line else 0])
    scale = (HEIGHT - TOP - BOTTOM) / (1.1 * highest)
    base, group_width = HEIGHT - BOTTOM, (WIDTH - LEFT - 16) / len(bars.groups)
    bar_width = 0.84 * group_width / len(bars.values)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(LEFT, 24, bars.title, font_size="16"),
    ]
    for number, (name, values) in enumerate(bars.values.items()):
        parts.append(f'<rect x="{LEFT + 180 * number}" y="36" width="12" height="12" fill="{COLOURS[number]}"/>')
        parts.append(text(LEFT + 180 * number + 18, 46, name))
        for group, value in enumerate(values):
            x = LEFT + (group + 0.08) * group_width + number * bar_width
            y, middle = base - scale * value, x + bar_width / 2
            parts.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{bar_width - 2:.1f}" height="{base - y:.1f}" '
                f'fill="{COLOURS[number]}"/>'
            )
            parts.append(text(middle, y - 4, f"{value:.3g}", text_anchor="middle"))
            if name in bars.notes and base - y > LEAST_NOTED:
                note = bars.notes[name][group]
                parts.append(text(middle, base - 6, note, text_anchor="middle", fill="white", font_size="11"))
    for group, name in enumerate(bars.groups):
        parts.append(text(LEFT + (group + 0.5) * group_width, base + 18, name, text_anchor="middle"))
    parts.append(f'<path d="M{LEFT} {base}H{WIDTH - 16}" stroke="black"/>')
    if bars.line:
        level, meaning = bars.line
        y = base - scale * level
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - 16}" stroke="black" stroke-dasharray="6 4"/>')
        parts.append(text(WIDTH - 16, y - 5, meaning, text_anchor="end"))
    return "\n".join([*parts, "</svg>\n"])


def inference(results: Results) -> Bars:
    """Views a second by batch and engine, beside what the matrix-product rate would give."""
    rows = results["batches"]
    gflop = sorted(row["gemm_gflop_a_second"] for row in rows)[len(rows) // 2]
    return Bars(
        "X3D-S on the host: views a second by batch size, and share of the matrix-product rate",
        [str(row["batch_size"]) for row in rows],
        {label: [row[name]["views_a_second"] for row in rows] for name, label in ENGINES.items()},
        {label: [f"{row[name]['share_of_gemm']:.0%}" for row in rows] for name, label in ENGINES.items()},
        (gflop / (2 * results["gmac_a_view"]), f"float32 matrix products: {gflop:.0f} GFLOP/s"),
    )


def preprocess(results: Results) -> Bars:
    """Seconds a video, beside the floor."""
    rows = results["per_video"]
    return Bars(
        "30 views of a video: seconds, beside decoding and saving alone",
        [row["video"] for row in rows],
        {
            "decode and save alone": [row["floor_seconds"] for row in rows],
            "this suite": [row["ours_seconds"] for row in rows],
        },
        {"this suite": [f"{row['ours_over_floor']:.2f} times" for row in rows]},
    )


def scaling(results: Results) -> Bars:
    """Speed-up by workers and by Ray nodes."""
    names = {"x3d_preprocess": "x3d_preprocess.py", "x3d_evaluate": "x3d_evaluate.py"}
    first = results["x3d_evaluate"]
    return Bars(
        "Speed-up over one worker, and over one Ray node of one core",
        [counted(row["number"], noun) for kind, noun in WORKER_KINDS.items() for row in first[kind]],
        {
            label: [row["speed_up"] for kind in WORKER_KINDS for row in results[name][kind]]
            for name, label in names.items()
        },
    )


FIGURES: dict[str, Callable[[Results], Bars]] = {"inference": inference, "preprocess": preprocess, "scaling": scaling}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of results (default: benchmarks/results)")
    parser.add_argument("--output", type=Path, help="folder for the figures (default: that of the results)")
    args = parser.parse_args(argv)
    results = load_results(args.results)
    for name in FIGURES.keys() & results.keys():
        path = (args.output or args.results) / f"{name}.svg"
        path.write_text(draw(FIGURES[name](results[name])))
        print(path)


if __name__ == "__main__":
    main()
