"""The copies of Kinetics-400's validation set that are known, by their number of videos."""

KNOWN_SETS = {
    19404: "GluonCV's copy",
    19761: "Non-local networks' and PaddleVideo's copy",
    19796: "mmaction2's copy",
    19881: "CVDF's copy",
    19906: "the official csv",
    19907: "the official csv",
}


def describe_count(num_videos: int) -> str:
    """Name the copy that has so many videos, or the one with the nearest number."""
    if num_videos in KNOWN_SETS:
        return KNOWN_SETS[num_videos]
    nearest = min(KNOWN_SETS, key=lambda number: abs(number - num_videos))
    return f"no known copy of the validation set; the nearest, {KNOWN_SETS[nearest]}, has {nearest}"
