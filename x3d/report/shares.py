"""Shares with their interval, as they are written to report.json."""

from typing import Any

from x3d.scoring.intervals import wilson_interval


def share(num_correct: int, num_videos: int) -> dict[str, Any]:
    """Describe a share of videos: counts, percentage and 95 % Wilson interval."""
    low, high = wilson_interval(num_correct, num_videos)
    return {
        "num_correct": num_correct,
        "num_videos": num_videos,
        "percent": 100 * num_correct / num_videos,
        "low": low,
        "high": high,
    }
