"""Subsets: balanced, the same everywhere, and what their size can decide."""

import random
from collections import Counter

import pytest

from test.layouts import LAYOUTS, make_clips
from x3d.dataset.annotations import Video
from x3d.dataset.video_files import video_id
from x3d.errors import InputError
from x3d.pipeline.list_subset import choose_subset, describe_power, max_flips
from x3d.scoring.noninferiority import Verdict, judge


def videos_of(layout: str = "mmaction2", num_per_class: int = 5) -> list[Video]:
    clips = make_clips(num_per_class)
    paths = [LAYOUTS[layout].path_of(clip) for clip in clips]
    return [Video(i, path, path, clip.label) for i, (path, clip) in enumerate(zip(paths, clips, strict=True))]


@pytest.mark.parametrize(("num_videos", "counts"), [(400, {1}), (401, {1, 2}), (800, {2}), (1, {1}), (2000, {5})])
def test_classes_are_balanced(num_videos, counts):
    chosen = choose_subset(videos_of(), num_videos, 0)
    assert len(chosen) == len({video.index for video in chosen}) == num_videos
    by_class = Counter(video.label for video in chosen)
    assert (set(by_class.values()), len(by_class)) == (counts, min(num_videos, 400))
    assert [video.listed for video in chosen] == sorted(video.listed for video in chosen)


def test_a_class_with_fewer_videos_gives_all_it_has():
    videos = [Video(i, f"{i}.mp4", "", 0 if i < 2 else 1 + i % 2) for i in range(42)]
    assert Counter(video.label for video in choose_subset(videos, 12, 0)) == {0: 2, 1: 5, 2: 5}


def test_the_choice_is_pinned():
    """The same on every machine and with every version: hashes, not a generator of random numbers."""
    chosen = choose_subset(videos_of(num_per_class=3), 4, 0)
    assert [(video.listed, video.label) for video in chosen] == [
        ("bending_back/ZB---------_000061_000071.mp4", 20),
        ("holding_snake/9Z_--------_000467_000477.mp4", 155),
        ("playing_accordion/B-A--------_000651_000661.mp4", 217),
        ("skiing_slalom/01A--------_000932_000942.mp4", 310),
    ]


def test_the_choice_depends_on_seed_and_ids_alone():
    videos = videos_of()
    chosen = {video_id(video.listed) for video in choose_subset(videos, 600, 7)}
    random.Random(0).shuffle(videos)
    assert {video_id(video.listed) for video in choose_subset(videos, 600, 7)} == chosen
    for layout in ("CVDF, flat", "Non-local networks' mirror"):
        assert {video_id(video.listed) for video in choose_subset(videos_of(layout), 600, 7)} == chosen
    assert {video_id(video.listed) for video in choose_subset(videos, 600, 8)} != chosen
    assert {video_id(video.listed) for video in choose_subset(videos, 1000, 7)} > chosen


def test_videos_without_a_label_are_not_chosen():
    videos = [Video(0, "a.mp4", "", -1), Video(1, "b.mp4", "", 3)]
    assert choose_subset(videos, 1, 0) == videos[1:]


@pytest.mark.parametrize("num_videos", [3, 0, -1])
def test_more_than_the_list_has_is_an_error(num_videos):
    videos = [Video(0, "a.mp4", "", -1), Video(1, "b.mp4", "", 3), Video(2, "c.mp4", "", 3)]
    with pytest.raises(InputError, match=f"--subset {num_videos}: the list has 2 labelled videos"):
        choose_subset(videos, num_videos, 0)


@pytest.mark.parametrize("num_videos", [366, 400, 1583, 2000, 19761])
def test_the_flips_that_pass_are_the_most(num_videos):
    flips = max_flips(num_videos)
    assert judge(flips, flips, num_videos, 0.735).verdict is Verdict.PASS
    assert judge(flips + 1, flips + 1, num_videos, 0.735).verdict is not Verdict.PASS


@pytest.mark.parametrize(
    ("num_videos", "texts"),
    [
        (
            1,
            ["1 video: a top-1 of 73.5 % has", "cannot PASS at 0.735 points: that takes 366 videos even if none flips"],
        ),
        (365, ["cannot PASS"]),
        (366, ["with no video lost or gained; a gate takes about 2000 videos"]),
        (400, ["400 videos: a top-1 of 73.5 % has a 95 % interval from 69.0 to 77.6 %", "no video lost or gained"]),
        (2000, ["from 71.5 to 75.4 %", "can PASS at 0.735 points with at most 38 videos lost and as many gained"]),
        (19761, ["from 72.9 to 74.1 %"]),
    ],
)
def test_the_text_says_what_so_many_videos_decide(num_videos, texts):
    described = describe_power(num_videos)
    assert [text for text in texts if text not in described] == []
    assert described.endswith("; a gate takes about 2000 videos") == (366 <= num_videos < 2000)
    assert described.endswith(" and as many gained") == (num_videos >= 2000)
