import pytest

from x3d.dataset.annotations import Video
from x3d.storage.list_copy import read_list_copy, write_list_copy
from x3d.storage.provenance import list_digest

VIDEOS = [
    Video(0, "air drumming/a b.mp4", "", 2),
    Video(1, "-x,y.mp4", "", -1),
    Video(2, 'q"t\t.mp4', "", 0),
    Video(3, "clip 3", "", 1),
    Video(4, "\u30d3\u30c7\u30aa.mp4", "", 399),
]
DIGEST = list_digest(VIDEOS)


def test_a_list_is_read_back_whatever_its_paths_hold(tmp_path):
    write_list_copy(tmp_path, VIDEOS, ())
    listed = read_list_copy(tmp_path, DIGEST)
    assert listed is not None
    assert listed.paths == [video.listed for video in VIDEOS]
    assert listed.labels == [2, -1, 0, 1, 399]
    assert (listed.digest, listed.source) == (DIGEST, str(tmp_path / "test.csv"))


def test_the_list_of_an_earlier_evaluation_is_replaced_and_another_file_is_not(tmp_path):
    write_list_copy(tmp_path, VIDEOS[:2], ())
    with pytest.raises(ValueError, match=r"OUTPUT_PATH .* holds another test\.csv; give another folder"):
        write_list_copy(tmp_path, VIDEOS, ())
    write_list_copy(tmp_path, VIDEOS, [list_digest(VIDEOS[:2])])
    assert read_list_copy(tmp_path, DIGEST) is not None


def test_an_equal_list_is_left_as_it_is(tmp_path):
    write_list_copy(tmp_path, VIDEOS, ())
    before = (tmp_path / "test.csv").stat().st_ino
    write_list_copy(tmp_path, VIDEOS, ())
    assert (tmp_path / "test.csv").stat().st_ino == before


def test_a_folder_without_a_list_has_none_and_a_changed_one_is_rejected(tmp_path, caplog):
    assert read_list_copy(tmp_path, DIGEST) is None
    assert f"{tmp_path / 'test.csv'} does not exist, so the paths of the videos are unknown; restore it" in caplog.text
    write_list_copy(tmp_path, VIDEOS, ())
    content = (tmp_path / "test.csv").read_text()
    (tmp_path / "test.csv").write_text(content.replace("399", "398"))
    with pytest.raises(ValueError, match=r"test\.csv is damaged, or not the list that the rows were made from"):
        read_list_copy(tmp_path, DIGEST)
    (tmp_path / "test.csv").write_bytes(b"\xff 1\n")
    with pytest.raises(ValueError, match="is damaged"):
        read_list_copy(tmp_path, DIGEST)


@pytest.mark.parametrize("target", ["nowhere", "test.csv"])
def test_a_broken_link_is_no_missing_list(target, tmp_path):
    (tmp_path / "test.csv").symlink_to(target)
    with pytest.raises(ValueError, match=r"test\.csv cannot be read: .*; make it readable, or remove it"):
        read_list_copy(tmp_path, DIGEST)
