import os
from pathlib import Path

import numpy as np
import pytest

from x3d.storage.score_rows import ScoreRows, read_score_rows, row_type

SCORES = np.array([[0.25, -1.5, 3.0], [1e-30, 0.0, 7.0]], dtype=np.float32)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the rows of videos 7 (label 2) and 3 (label -1)."""
    path = tmp_path / "manifest.rows"
    with ScoreRows(path, 3) as rows:
        rows.append(7, 2, SCORES[0])
        rows.append(3, -1, SCORES[1])
        assert rows.num_rows == 2
    return path


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def test_rows_are_read_in_order_of_video(path):
    rows = read_score_rows(path, 3)
    assert rows["video"].tolist() == [3, 7]
    assert rows["label"].tolist() == [-1, 2]
    np.testing.assert_array_equal(rows["scores"], SCORES[::-1])


def test_a_row_has_the_documented_layout(path):
    content = path.read_bytes()
    assert len(content) == 2 * (8 + 8 + 8 + 3 * 4)
    assert int.from_bytes(content[:8], "little") == 7
    assert int.from_bytes(content[8:16], "little") == 2
    assert np.frombuffer(content[24:36], "<f4").tolist() == SCORES[0].tolist()


OFFSETS = {"video": 0, "video's last byte": 7, "label": 8, "label's last byte": 15, "check": 16}
OFFSETS |= {"first score": 24, "second score": 29, "last score": 35}


@pytest.mark.parametrize("offset", OFFSETS.values(), ids=OFFSETS)
def test_a_flipped_bit_in_any_field_is_noticed(offset, path, caplog):
    flip(path, offset)
    assert read_score_rows(path, 3)["video"].tolist() == [3]
    assert f"{path}: corrupt rows are skipped: 1" in caplog.text


def test_every_byte_of_a_row_is_covered(path):
    original = path.read_bytes()
    for offset in range(row_type(3).itemsize):
        flip(path, offset)
        assert read_score_rows(path, 3)["video"].tolist() == [3], offset
        path.write_bytes(original)


def test_a_corrupt_row_stays_in_the_file_and_is_appended_anew(path, caplog):
    flip(path, 0)
    size = path.stat().st_size
    with ScoreRows(path, 3) as rows:
        assert (rows.done.tolist(), rows.num_rows) == ([3], 1)
        rows.append(7, 2, SCORES[0])
    assert path.stat().st_size == size + row_type(3).itemsize
    assert read_score_rows(path, 3)["video"].tolist() == [3, 7]


@pytest.mark.parametrize("num_bytes", [1, 20, 35])
def test_a_row_cut_short_is_removed_when_the_file_is_opened(num_bytes, path, caplog):
    os.truncate(path, path.stat().st_size - num_bytes)
    assert read_score_rows(path, 3)["video"].tolist() == [7]
    assert "corrupt rows are skipped: 1" in caplog.text
    with ScoreRows(path, 3) as rows:
        assert rows.done.tolist() == [7]
        rows.append(3, -1, SCORES[1])
    assert path.stat().st_size == 2 * row_type(3).itemsize
    assert read_score_rows(path, 3)["video"].tolist() == [3, 7]


def test_a_video_with_two_rows_is_rejected(path):
    with ScoreRows(path, 3) as rows:
        rows.append(3, 0, SCORES[0])
    with pytest.raises(ValueError, match=r"manifest.rows holds video 3 twice; remove the file"):
        read_score_rows(path, 3)


def test_a_file_that_does_not_exist_is_rejected(tmp_path):
    with pytest.raises(ValueError, match=r"none.rows cannot be read: No such file"):
        read_score_rows(tmp_path / "none.rows", 3)


def test_rows_of_another_number_of_classes_are_corrupt(path, caplog):
    assert len(read_score_rows(path, 4)) == 0
    assert "corrupt rows are skipped: 2" in caplog.text


def test_a_good_file_gives_no_warning(path, caplog):
    read_score_rows(path, 3)
    assert caplog.text == ""


def test_an_open_file_is_locked(path):
    with ScoreRows(path, 3), pytest.raises(ValueError, match="in use by another run"):
        ScoreRows(path, 3)
    ScoreRows(path, 3).close()


def test_a_file_that_cannot_be_opened_is_released(path):
    path.write_bytes(2 * path.read_bytes())
    with pytest.raises(ValueError, match="twice"):
        ScoreRows(path, 3)
    path.unlink()
    ScoreRows(path, 3).close()
    assert path.read_bytes() == b""
