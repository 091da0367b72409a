import os

import pytest
import xxhash

from x3d.errors import VideoError
from x3d.video.source import LAST_MTIME_NS, read_source


def test_a_source_is_size_time_and_hash_of_the_content(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"content" * 300_000)
    source = read_source(str(path))
    assert (source.size, source.mtime_ns) == (2_100_000, path.stat().st_mtime_ns)
    assert source.hash == xxhash.xxh3_64(b"content" * 300_000).intdigest()


def test_only_another_content_is_a_change(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"first")
    source = read_source(str(path))
    os.utime(path, ns=(0, 1))
    assert not source.has_changed(str(path)), "touched, with the same content"
    path.write_bytes(b"other")
    assert source.has_changed(str(path))
    path.write_bytes(b"longer than before")
    assert source.has_changed(str(path))
    path.unlink()
    with pytest.raises(VideoError, match="no such file"):
        source.has_changed(str(path))


def test_a_time_far_in_the_future_fits_a_record(tmp_path):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"content")
    os.utime(path, (0, 13_600_000_000))
    source = read_source(str(path))
    assert source.mtime_ns == LAST_MTIME_NS
    assert not source.has_changed(str(path))


def test_what_is_no_file_with_content_has_a_reason(tmp_path):
    (tmp_path / "empty.mp4").touch()
    os.mkfifo(tmp_path / "pipe.mp4")
    for name, reason in (
        ("empty.mp4", "empty"),
        ("pipe.mp4", "unreadable"),
        ("none.mp4", "missing"),
        (".", "unreadable"),
    ):
        with pytest.raises(VideoError) as caught:
            read_source(str(tmp_path / name))
        assert caught.value.reason == reason
