"""benchmarks/clips.py: sizes, rates and frame types of the clips, and that a seed gives the same files."""

import hashlib
from pathlib import Path

import av
import pytest
from av.video.frame import PictureType

from benchmarks.clips import LARGE_SIZE, SMALL_SIZE, kinetics_shaped_videos, long_raw_video


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[str]:
    return kinetics_shaped_videos(tmp_path_factory.mktemp("clips"), SMALL_SIZE, num=3, seconds=2)


def test_clips_have_the_shape_of_kinetics(clips):
    rates = []
    for path in clips:
        with av.open(path) as container:
            stream = container.streams.video[0]
            types = {PictureType(frame.pict_type).name for frame in container.decode(stream)}
            assert (stream.codec_context.name, stream.width, stream.height) == ("h264", 340, 256)
            assert abs(stream.frames / stream.average_rate - 2) < 0.01
            assert types == {"I", "P", "B"}
            rates.append(float(stream.average_rate))
    assert rates == pytest.approx([30, 25, 29.97], abs=0.001)


def test_bit_rates_are_spread_over_those_of_the_size(clips):
    kilobits = [8 * Path(path).stat().st_size / 2000 for path in clips]
    assert kilobits == sorted(kilobits)
    assert kilobits[-1] > 2 * kilobits[0] > 2 * 150


def test_a_seed_gives_the_same_files(clips, tmp_path):
    def digests(paths: list[str]) -> list[str]:
        return [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths]

    again = kinetics_shaped_videos(tmp_path / "again", SMALL_SIZE, num=3, seconds=2)
    others = kinetics_shaped_videos(tmp_path / "others", SMALL_SIZE, num=3, seed=1, seconds=2)
    assert digests(again) == digests(clips)
    assert not set(digests(others)) & set(digests(clips))


def test_large_clips_are_large(tmp_path):
    (path,) = kinetics_shaped_videos(tmp_path, LARGE_SIZE, num=1, seconds=0.2)
    with av.open(path) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (1280, 720)


def test_a_raw_video_has_the_size_asked_for(tmp_path):
    path = Path(long_raw_video(tmp_path / "long.avi", megabytes=5))
    assert 5e6 <= path.stat().st_size < 5.3e6
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "rawvideo"
        assert sum(1 for _ in container.decode(video=0)) == 39
