"""Choose a class-balanced subset of a list, and describe what so many videos can decide."""

import hashlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence

from x3d.dataset.annotations import Video
from x3d.dataset.video_files import video_id
from x3d.errors import InputError, counted, shorten_list
from x3d.scoring.intervals import wilson_interval
from x3d.scoring.noninferiority import MARGIN_POINTS, Verdict, judge, smallest_passing

TYPICAL_PERCENT = 73.5
"""Published top-1 accuracy of X3D-S on Kinetics-400."""
NUM_FOR_A_GATE = 2000


def choose_subset(videos: Sequence[Video], num_videos: int, seed: int) -> list[Video]:
    """Choose as many videos of every class as of the others, or all of a class that has fewer, sorted by path.

    The choice depends on seed and ids alone, so that it is the same on every machine and in every copy of the data set;
    a smaller subset is part of a larger one.

    Raises:
        InputError: fewer videos have a label, or a path is listed twice.
    """
    repeated = [path for path, number in Counter(video.listed for video in videos).items() if number > 1]
    if repeated:
        raise InputError(f"the list of --from has paths twice: {shorten_list(repeated)}; remove the further lines")
    by_class: defaultdict[int, list[Video]] = defaultdict(list)
    for video in videos:
        if video.label >= 0:
            by_class[video.label].append(video)
    num_labelled = sum(map(len, by_class.values()))
    if not 0 < num_videos <= num_labelled:
        remedy = f"choose 1 to {num_labelled}" if num_labelled else "give a list with labels"
        raise InputError(f"--subset {num_videos}: the list has {counted(num_labelled, 'labelled video')}; {remedy}")
    ranked = [
        (rank, _draw(seed, f"class {label}"), video)
        for label, same in by_class.items()
        for rank, video in enumerate(
            sorted(same, key=lambda video: (_draw(seed, video_id(video.listed)), video.listed))
        )
    ]
    ranked.sort(key=lambda entry: entry[:2])
    return sorted((video for *_, video in ranked[:num_videos]), key=lambda video: video.listed)


def _draw(seed: int, text: str) -> bytes:
    """Draw a number for a text, the same with every version of Python."""
    return hashlib.sha256(f"{seed} {text}".encode()).digest()


def describe_power(num_videos: int) -> str:
    """Describe what interval a top-1 of so many videos has, and which flips x3d_compare.py accepts with them.

    Of 400 videos a top-1 of 73.5 % has an interval from 69.0 to 77.6 %, and a candidate passes only without a flip.
    """
    low, high = wilson_interval(round(TYPICAL_PERCENT / 100 * num_videos), num_videos)
    return (
        f"{counted(num_videos, 'video')}: a top-1 of {TYPICAL_PERCENT} % has a 95 % interval from {low:.1f} to "
        f"{high:.1f} %; {_describe_flips(num_videos)}"
    )


def _describe_flips(num_videos: int) -> str:
    flips = max_flips(num_videos)
    if flips < 0:
        floor = smallest_passing(0, MARGIN_POINTS)
        return f"x3d_compare.py cannot PASS at {MARGIN_POINTS} points: that takes {floor} videos even if none flips"
    accepted = f"at most {counted(flips, 'video')} lost and as many gained" if flips else "no video lost or gained"
    gate = f"; a gate takes about {NUM_FOR_A_GATE} videos" if num_videos < NUM_FOR_A_GATE else ""
    return f"with an equal top-1 x3d_compare.py can PASS at {MARGIN_POINTS} points with {accepted}{gate}"


def max_flips(num_videos: int) -> int:
    """Compute how many videos may be lost, if as many are gained, for a PASS; -1: none passes."""
    flips = range(num_videos // 2 + 1)
    return (
        bisect_left(
            flips, True, key=lambda flips: judge(flips, flips, num_videos, MARGIN_POINTS).verdict is not Verdict.PASS
        )
        - 1
    )
