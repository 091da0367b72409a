"""Check verdicts, intervals and null levels by simulation and against published figures.

    python -m benchmarks.evidence [--quick] [--seed 0]

Draws pairs of runs with a planted drop, and calibrated runs, from a seed. Writes results/evidence.json and from it the
tables of benchmarks/evidence.md. The source must be committed, so that the commit in the tables is what ran.
"""

import functools
import math
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.common import build_parser, parse_args, write_results
from benchmarks.tables import update
from x3d.scoring.calibration import calibrate
from x3d.scoring.intervals import normal_quantile, wilson_interval
from x3d.scoring.noninferiority import (
    MARGIN_POINTS,
    TWO_SIDED,
    Verdict,
    approximate_videos,
    judge,
    smallest_passing,
    tango_interval,
    videos_for_power,
)

DOCUMENT = "benchmarks/evidence.md"
KINETICS_VIDEOS = 19761
MARGINS_POINTS = (MARGIN_POINTS, 1, 0.0735)
NUM_PAIRS, QUICK_PAIRS = 10000, 20
"""With 1,000 pairs, two standard errors of an error rate of 5 % are 1.4 points; with 10,000 they are 0.4."""
NUM_TRIALS, QUICK_TRIALS = 200, 2
SET_SIZES = (400, 2000, KINETICS_VIDEOS)
FLIP_SHARES = (0.01, 0.02, 0.08)
TABLE_FLIP_SHARES = (0, 0.001, 0.005, 0.01, 0.03, 0.08)
NULL_SIZES = (100, 400, 2000, KINETICS_VIDEOS)
WILSON_COUNTS = ((37, 49), (0, 10), (10, 10), (14574, KINETICS_VIDEOS))
TANGO_COUNTS = (1, 7, 21)

_judge = functools.lru_cache(maxsize=None)(judge)


def simulate_verdicts(
    num_videos: int, flip_share: float, drop_points: float, num_pairs: int, random: np.random.Generator
) -> dict[str, float]:
    """Draw pairs of runs whose flips have planted shares, and judge each.

    Returns:
        Share of each verdict, in percent.
    """
    drop = drop_points / 100
    shares = [(flip_share + drop) / 2, (flip_share - drop) / 2, 1 - flip_share]
    pairs = random.multinomial(num_videos, shares, size=num_pairs).tolist()
    counts = Counter(_judge(lost, gained, num_videos, MARGIN_POINTS).verdict for lost, gained, _ in pairs)
    return {f"{verdict.lower()}_percent": 100 * counts[verdict] / num_pairs for verdict in Verdict}


def simulate_at_margin(num_pairs: int, random: np.random.Generator) -> list[dict[str, float]]:
    """Judge pairs whose true drop is the margin: neither PASS nor FAIL is true, and each may have 5 %."""
    return [
        {"num_videos": num_videos, "flip_share": flip_share}
        | simulate_verdicts(num_videos, flip_share, MARGIN_POINTS, num_pairs, random)
        for num_videos in tqdm(SET_SIZES, desc="drop at the margin", disable=None)
        for flip_share in FLIP_SHARES
    ]


def simulate_without_drop(num_pairs: int, random: np.random.Generator) -> list[dict[str, float]]:
    """Judge pairs whose true drop is 0, also with the number of videos for a power of 80 %."""
    rows = []
    for flip_share in tqdm(FLIP_SHARES, desc="no drop", disable=None):
        for num_videos in sorted({*SET_SIZES, videos_for_power(flip_share, MARGIN_POINTS) or 0}):
            standard_errors = MARGIN_POINTS / 100 / math.sqrt(flip_share / num_videos)
            expected = 100 * NormalDist().cdf(standard_errors - normal_quantile(TWO_SIDED))
            row = {"num_videos": num_videos, "flip_share": flip_share, "expected_pass_percent": expected}
            rows.append(row | simulate_verdicts(num_videos, flip_share, 0, num_pairs, random))
    return rows


def compute_numbers_of_videos() -> list[dict[str, Any]]:
    """Compute precision and numbers of videos by the share of flips."""
    rows = []
    for flip_share in TABLE_FLIP_SHARES:
        standard_error = 100 * math.sqrt(flip_share / KINETICS_VIDEOS)
        rows.append(
            {
                "flip_share": flip_share,
                "standard_error_points": standard_error,
                "half_width_points": normal_quantile(TWO_SIDED) * standard_error,
                "smallest_passing": [smallest_passing(flip_share, margin) for margin in MARGINS_POINTS],
                "approximate_for_power": approximate_videos(flip_share, MARGIN_POINTS),
                "for_power": videos_for_power(flip_share, MARGIN_POINTS),
            }
        )
    return rows


def simulate_calibrated(num_videos: int, num_trials: int, random: np.random.Generator) -> dict[str, float]:
    """Measure runs that are right as often as their confidences, which are drawn from Beta(2.5, 0.9)."""
    found = []
    for trial in tqdm(range(num_trials), desc=f"{num_videos} videos", disable=None):
        confidences = random.beta(2.5, 0.9, num_videos)
        found.append(calibrate(confidences, random.random(num_videos) < confidences, seed=trial))
    return {
        "num_videos": num_videos,
        "ece_percent": float(np.mean([run.ece for run in found])),
        "null_ece_percent": float(np.mean([run.null_ece for run in found])),
        "above_null_high_percent": 100 * float(np.mean([run.ece > run.null_high for run in found])),
    }


def compare_with_published() -> dict[str, Any]:
    """Compute what published figures exist for."""
    low, high = tango_interval(*TANGO_COUNTS)
    return {
        "tango": {"counts": TANGO_COUNTS, "low": low, "high": high},
        "wilson": [
            {"num": num, "total": total, "limits_percent": wilson_interval(num, total)} for num, total in WILSON_COUNTS
        ],
        "without_flips": {str(num): judge(0, 0, num, MARGIN_POINTS).verdict for num in (365, 366)},
    }


def main(argv: Sequence[str] | None = None) -> None:
    parser = build_parser(__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of all simulations (default: 0)")
    args = parse_args(parser, argv)
    random = np.random.default_rng(args.seed)
    num_pairs, num_trials = (QUICK_PAIRS, QUICK_TRIALS) if args.quick else (NUM_PAIRS, NUM_TRIALS)
    figures = {
        "seed": args.seed,
        "num_pairs": num_pairs,
        "num_trials": num_trials,
        "margin_points": MARGIN_POINTS,
        **compare_with_published(),
        "numbers_of_videos": compute_numbers_of_videos(),
        "at_margin": simulate_at_margin(num_pairs, random),
        "without_drop": simulate_without_drop(num_pairs, random),
        "calibrated": [simulate_calibrated(num_videos, num_trials, random) for num_videos in NULL_SIZES],
    }
    write_results("evidence", args, figures)
    if not args.quick and not args.output:
        update(DOCUMENT)


if __name__ == "__main__":
    main()
