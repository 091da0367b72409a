"""Make the tables of evidence.md as Markdown, as result_tables.py makes those of the other documents."""

from collections.abc import Callable

from benchmarks.labels import Results
from benchmarks.result_tables import table


def at_margin(results: Results) -> str:
    """Wrong verdicts on pairs whose true drop is the margin."""
    result = results.get("evidence")
    row = "{num_videos} | {flip_share:.0%} | {pass_percent:.1f} % | {fail_percent:.1f} % | {undecided_percent:.1f} %"
    rows = [row.format(**found) for found in result["at_margin"]] if result else []
    return table("videos | flips | PASS | FAIL | UNDECIDED", rows, result)


def without_drop(results: Results) -> str:
    """Verdicts on pairs without a true drop, and the power that the formula predicts."""
    result = results.get("evidence")
    row = (
        "{flip_share:.0%} | {num_videos} | {pass_percent:.1f} % | {expected_pass_percent:.1f} % | {fail_percent:.1f} %"
    )
    rows = [row.format(**found) for found in result["without_drop"]] if result else []
    return table("flips | videos | PASS | PASS by the formula | FAIL", rows)


def numbers_of_videos(results: Results) -> str:
    """Precision and numbers of videos by the share of flips."""
    result = results.get("evidence", {"numbers_of_videos": ()})
    rows = []
    for found in result["numbers_of_videos"]:
        row = "{flip_share:.1%} | {standard_error_points:.3f} | {half_width_points:.3f} | ".format(**found)
        rows.append(row + " | ".join(str(num) for num in [*found["smallest_passing"], found["for_power"]]))
    header = (
        "flips | standard error of 19761 videos, points | one-sided half-width | smallest set that passes at 0.735 "
        "points | at 1 | at 0.0735 | for a power of 80 % at 0.735"
    )
    return table(header, rows)


def null_levels(results: Results) -> str:
    """Calibration errors of calibrated runs."""
    result = results.get("evidence")
    row = "{num_videos} | {ece_percent:.1f} % | {null_ece_percent:.1f} % | {above_null_high_percent:.1f} %"
    rows = [row.format(**found) for found in result["calibrated"]] if result else []
    return table("videos | ECE, mean | null level, mean | runs above the null level's 95 % quantile", rows)


def published(results: Results) -> str:
    """Figures that are published, and ours."""
    result = results.get("evidence")
    rows = []
    if result:
        tango = result["tango"]
        ours = f"{tango['low']:.3f} to {tango['high']:.3f}"
        rows.append(f"Tango's 95 % limits, 1 lost and 7 gained of 21 | -0.517 to -0.026 | {ours}")
        [wilson] = [found for found in result["wilson"] if found["total"] == 49]
        ours = " to ".join(f"{limit:.1f} %" for limit in wilson["limits_percent"])
        rows.append(f"Wilson's 95 % limits, 37 right of 49 | 61.9 % to 85.4 % | {ours}")
        verdicts = ", ".join(f"{num}: {verdict}" for num, verdict in result["without_flips"].items())
        rows.append(f"a run against itself, by videos | PASS from z² / 0.00735 - z² = 365.4 on | {verdicts}")
    return table("figure | expected | ours", rows)


TABLES: dict[str, Callable[[Results], str]] = {
    make.__name__: make for make in (published, at_margin, without_drop, numbers_of_videos, null_levels)
}
