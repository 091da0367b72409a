import os
import struct
from pathlib import Path

import numpy as np
import pytest
import xxhash

from test.tables import video_scores
from x3d.dataset.annotations import Video
from x3d.storage.score_rows import ScoreRows, read_score_rows, row_type, source_of_row
from x3d.video.source import Source

SEED = 2**64 - 9
ROW = row_type(3, 1, "sum")
SOURCE = Source(size=5, mtime_ns=7, hash=2**64 - 1)
SCORES = np.array([[0.25, -1.5, 3.0], [1e-30, 0.0, 7.0]], dtype=np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the rows of videos 7 (label 2) and 3 (label -1)."""
    path = tmp_path / "manifest.rows"
    with ScoreRows(path, ROW, SEED) as rows:
        append(rows, 7, 2, SCORES[0], rotation=90)
        append(rows, 3, -1, SCORES[1], corrupt_frames=6)
        assert rows.num_rows == 2
    return path


def append(rows: ScoreRows, video: int, label: int, scores: np.ndarray, **more: int) -> None:
    rows.append(Video(video, f"{video}.mp4", "", label), video_scores(scores, SOURCE, **more))


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def test_rows_are_read_in_order_of_video(path):
    rows = read_score_rows(path, ROW, SEED)
    assert rows["video"].tolist() == [3, 7]
    assert rows["label"].tolist() == [-1, 2]
    np.testing.assert_array_equal(rows["scores"], SCORES[::-1])


def test_a_row_has_the_documented_layout(path):
    content = path.read_bytes()
    assert len(content) == 2 * (6 * 8 + 2 * 4 + 2 * 4 + 3 * 4)
    row = content[: len(content) // 2]
    check = xxhash.xxh3_64_intdigest(row[:16] + row[24:], SEED)
    assert struct.unpack("<qqQqqQiiif3f", row) == (7, 2, check, 5, 7, 2**64 - 1, 90, 0, 2, 3.0, *SCORES[0].tolist())


OFFSETS = {"video": 0, "video's last byte": 7, "label": 8, "label's last byte": 15, "check": 16}
OFFSETS |= {
    "size": 24,
    "source": 40,
    "corrupt frames": 52,
    "view class": 56,
    "view probability": 60,
    "first score": 64,
    "last score": 75,
}


@pytest.mark.parametrize("offset", OFFSETS.values(), ids=OFFSETS)
def test_a_flipped_bit_in_any_field_is_noticed(offset, path, caplog):
    flip(path, offset)
    assert read_score_rows(path, ROW, SEED)["video"].tolist() == [3]
    assert f"{path}: 1 row skipped, corrupt or of another evaluation" in caplog.text


def test_every_byte_of_a_row_is_covered(path):
    original = path.read_bytes()
    for offset in range(ROW.itemsize):
        flip(path, offset)
        assert read_score_rows(path, ROW, SEED)["video"].tolist() == [3], offset
        path.write_bytes(original)


def test_a_corrupt_row_stays_in_the_file_and_is_appended_anew(path, caplog):
    flip(path, 0)
    size = path.stat().st_size
    with ScoreRows(path, ROW, SEED) as rows:
        assert (rows.rows["video"].tolist(), rows.num_rows) == ([3], 1)
        append(rows, 7, 2, SCORES[0])
    assert path.stat().st_size == size + ROW.itemsize
    assert read_score_rows(path, ROW, SEED)["video"].tolist() == [3, 7]


@pytest.mark.parametrize("num_bytes", [1, 20, 67])
def test_a_row_cut_short_is_removed_when_the_file_is_opened(num_bytes, path, caplog):
    os.truncate(path, path.stat().st_size - num_bytes)
    assert read_score_rows(path, ROW, SEED)["video"].tolist() == [7]
    assert "1 row skipped, corrupt or of another evaluation" in caplog.text
    with ScoreRows(path, ROW, SEED) as rows:
        assert rows.rows["video"].tolist() == [7]
        append(rows, 3, -1, SCORES[1])
    assert path.stat().st_size == 2 * ROW.itemsize
    assert read_score_rows(path, ROW, SEED)["video"].tolist() == [3, 7]


def test_a_video_with_two_rows_is_rejected(path):
    with ScoreRows(path, ROW, SEED) as rows:
        append(rows, 3, 0, SCORES[0])
    with pytest.raises(ValueError, match=r"manifest.rows holds video 3 twice; remove the file"):
        read_score_rows(path, ROW, SEED)


def test_a_file_that_does_not_exist_is_rejected(tmp_path):
    with pytest.raises(ValueError, match=r"none.rows cannot be read: No such file"):
        read_score_rows(tmp_path / "none.rows", ROW, SEED)


def test_rows_of_another_number_of_classes_are_corrupt(path, caplog):
    assert len(read_score_rows(path, row_type(4, 1, "sum"), SEED)) == 0
    assert "2 rows skipped, corrupt or of another evaluation" in caplog.text


def test_a_good_file_gives_no_warning(path, caplog):
    read_score_rows(path, ROW, SEED)
    assert caplog.text == ""


def test_an_open_file_is_locked(path):
    with ScoreRows(path, ROW, SEED), pytest.raises(ValueError, match="in use by another run"):
        ScoreRows(path, ROW, SEED)
    ScoreRows(path, ROW, SEED).close()


def test_a_file_that_cannot_be_opened_is_released(path):
    path.write_bytes(2 * path.read_bytes())
    with pytest.raises(ValueError, match="twice"):
        ScoreRows(path, ROW, SEED)
    path.unlink()
    ScoreRows(path, ROW, SEED).close()
    assert path.read_bytes() == b""


def test_the_source_of_a_row_is_read_back(path):
    assert [source_of_row(row) for row in read_score_rows(path, ROW, SEED)] == [SOURCE, SOURCE]


def test_rotated_and_corrupt_videos_are_counted(path):
    with ScoreRows(path, ROW, SEED) as rows:
        assert (rows.num_rotated, rows.num_corrupt) == (1, 1)
        append(rows, 8, 0, SCORES[0], rotation=180, corrupt_frames=1)
        append(rows, 9, 0, SCORES[0])
        assert (rows.num_rotated, rows.num_corrupt) == (2, 2)


def test_dropped_rows_are_gone_and_the_file_stays_locked(path):
    with ScoreRows(path, ROW, SEED) as rows:
        rows.drop([7])
        assert (rows.rows["video"].tolist(), rows.num_rows, rows.num_rotated) == ([3], 1, 0)
        assert read_score_rows(path, ROW, SEED)["video"].tolist() == [3]
        with pytest.raises(ValueError, match="in use by another run"):
            ScoreRows(path, ROW, SEED)
        append(rows, 7, 2, SCORES[0])
    assert read_score_rows(path, ROW, SEED)["video"].tolist() == [3, 7]
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_rows_that_cannot_be_dropped_stay(path, monkeypatch):
    def replace(old, new):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)
    with ScoreRows(path, ROW, SEED) as rows:
        with pytest.raises(OSError, match="No space"):
            rows.drop([7])
        append(rows, 8, 2, SCORES[0])
    assert read_score_rows(path, ROW, SEED)["video"].tolist() == [3, 7, 8]
    assert [found.name for found in path.parent.iterdir()] == [path.name]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that rows see."""
    now = [100.0]
    monkeypatch.setattr("x3d.storage.score_rows.time.monotonic", lambda: now[0])
    return now


def test_rows_are_synced_every_two_seconds_and_at_the_end(path, clock, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fdatasync", lambda descriptor: synced.append(path.stat().st_size // ROW.itemsize))
    with ScoreRows(path, ROW, SEED) as rows:
        for index in range(8, 14):
            append(rows, index, 0, SCORES[0])
            clock[0] += 0.9
    assert synced == [6, 8]


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_rows_that_are_removed_during_a_run_are_noticed(how, path, clock):
    with ScoreRows(path, ROW, SEED) as rows:
        append(rows, 8, 0, SCORES[0])
        path.unlink()
        if how == "replaced":
            path.touch()
        clock[0] += 3
        with pytest.raises(OSError, match="it was removed or replaced during the run") as raised:
            append(rows, 9, 0, SCORES[0])
    assert raised.value.filename == str(path)


@pytest.mark.parametrize("act", [ScoreRows.sync, ScoreRows.close])
def test_rows_that_cannot_be_synced_name_their_file(act, path, monkeypatch):
    def fail(descriptor):
        raise OSError(5, "Input/output error")

    rows = ScoreRows(path, ROW, SEED)
    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(OSError, match="Input/output error") as raised:
        act(rows)
    assert raised.value.filename == str(path)
    monkeypatch.undo()
    if act is ScoreRows.sync:
        rows.close()


def test_a_row_that_cannot_be_written_names_its_file(path, monkeypatch):
    def write(descriptor, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", write)
    with ScoreRows(path, ROW, SEED) as rows, pytest.raises(OSError, match="No space") as raised:
        append(rows, 8, 0, SCORES[0])
    assert raised.value.filename == str(path)
