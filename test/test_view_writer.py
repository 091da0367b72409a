import errno
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import xxhash

from x3d.dataset.annotations import Video
from x3d.storage import view_writer as module
from x3d.storage.view_writer import ViewWriter, view_file_bytes

SHAPE = (3, 2, 5, 5)
VIDEO = Video(4, "e.mp4", "", 7)
VIEWS = [np.random.RandomState(number).rand(1, *SHAPE).astype(np.float32) for number in range(3)]


def make_writer(tmp_path: Path, suffix: str = ".npy", dtype: str = "float32") -> ViewWriter:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return ViewWriter(tmp_path, scratch, suffix, 3, dtype)


def names(tmp_path: Path) -> set[str]:
    return {path.name for path in tmp_path.iterdir()}


def test_views_are_named_by_number_and_label(tmp_path):
    assert make_writer(tmp_path, ".bin").names(VIDEO) == ["12_7.bin", "13_7.bin", "14_7.bin"]


def test_views_are_written_as_numpy_writes_them(tmp_path):
    writer = make_writer(tmp_path)
    assert writer.write(VIDEO, [(2, VIEWS[2]), (0, VIEWS[0]), (1, VIEWS[1])]) == expected_hashes(VIEWS)
    assert names(tmp_path) == {"scratch", "12_7.npy", "13_7.npy", "14_7.npy"}
    for number, view in enumerate(VIEWS):
        np.save(tmp_path / "reference.npy", view)
        written = (tmp_path / f"{12 + number}_7.npy").read_bytes()
        assert written == (tmp_path / "reference.npy").read_bytes()
        assert len(written) == view_file_bytes(SHAPE, ".npy")
    assert list(writer.scratch.iterdir()) == []


def test_raw_views_are_the_values_alone(tmp_path):
    make_writer(tmp_path, ".bin").write(VIDEO, enumerate(VIEWS))
    assert [(tmp_path / f"{n}_7.bin").read_bytes() for n in (12, 13, 14)] == [view.tobytes() for view in VIEWS]
    assert view_file_bytes(SHAPE, ".bin") == 4 * 150


def test_float16_views_are_rounded_and_take_half_the_bytes(tmp_path):
    halves = [view.astype("<f2") for view in VIEWS]
    assert make_writer(tmp_path, dtype="float16").write(VIDEO, enumerate(VIEWS)) == expected_hashes(halves)
    for number, half in enumerate(halves):
        np.save(tmp_path / "reference.npy", half)
        written = (tmp_path / f"{12 + number}_7.npy").read_bytes()
        assert written == (tmp_path / "reference.npy").read_bytes()
        assert len(written) == view_file_bytes(SHAPE, ".npy", "float16")
        assert written[:128].count(b"'descr': '<f2'") == 1


def test_raw_float16_views_are_the_values_alone(tmp_path):
    halves = [view.astype("<f2") for view in VIEWS]
    hashes = make_writer(tmp_path, ".bin", "float16").write(VIDEO, enumerate(VIEWS))
    assert hashes == expected_hashes(halves)
    assert [(tmp_path / f"{n}_7.bin").read_bytes() for n in (12, 13, 14)] == [half.tobytes() for half in halves]
    assert view_file_bytes(SHAPE, ".bin", "float16") == 2 * 150


def expected_hashes(views: list[np.ndarray]) -> list[str]:
    return [xxhash.xxh3_64_hexdigest(view.tobytes()) for view in views]


def test_the_last_view_of_a_number_counts(tmp_path):
    writer = make_writer(tmp_path)
    hashes = writer.write(VIDEO, [(0, VIEWS[2]), *enumerate(VIEWS)])
    assert hashes == expected_hashes(VIEWS)
    np.testing.assert_array_equal(np.load(tmp_path / "12_7.npy"), VIEWS[0])


def fail_after_two():
    yield 0, VIEWS[0]
    yield 1, VIEWS[1]
    raise ValueError("damaged")


def test_no_view_appears_when_decoding_fails(tmp_path):
    writer = make_writer(tmp_path)
    with pytest.raises(ValueError, match="damaged"):
        writer.write(VIDEO, fail_after_two())
    assert names(tmp_path) == {"scratch"}
    assert list(writer.scratch.iterdir()) == []


def test_no_view_appears_before_all_are_complete(tmp_path):
    writer, seen = make_writer(tmp_path), []

    def watched():
        for number, view in enumerate(VIEWS):
            yield number, view
            seen.append(names(tmp_path))

    writer.write(VIDEO, watched())
    assert seen == [{"scratch"}] * 3


def test_a_disk_that_is_full_gives_its_reason(tmp_path, monkeypatch):
    writer = make_writer(tmp_path)

    def fail(descriptor: int, data: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", fail)
    with pytest.raises(OSError, match=r"No space left on device: .*[^/.]/12_7.npy"):
        writer.write(VIDEO, enumerate(VIEWS))
    assert names(tmp_path) == {"scratch"}


def test_views_are_synced_before_they_get_their_names_and_names_before_the_return(tmp_path, monkeypatch):
    writer, calls = make_writer(tmp_path), []

    def record(name: str, arguments: int) -> None:
        original = getattr(module if hasattr(module, name) else os, name)

        def call(*given):
            calls.append((name, *(Path(path).name for path in given[:arguments])))
            return original(*given)

        monkeypatch.setattr(module if hasattr(module, name) else os, name, call)

    for name, arguments in (("write_all", 0), ("sync_file_system", 0), ("replace", 2), ("sync_folder", 1)):
        record(name, arguments)
    writer.write(VIDEO, enumerate(VIEWS))
    renames = [("replace", name, name) for name in writer.names(VIDEO)]
    assert calls == [*6 * [("write_all",)], ("sync_file_system",), *renames, ("sync_folder", tmp_path.name)]


def test_views_that_cannot_be_synced_do_not_appear(tmp_path, monkeypatch):
    def fail(path: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(module, "sync_file_system", fail)
    with pytest.raises(OSError, match="Input/output error"):
        make_writer(tmp_path).write(VIDEO, enumerate(VIEWS))
    assert names(tmp_path) == {"scratch"}


def test_a_writer_can_be_sent_to_a_worker(tmp_path):
    writer = make_writer(tmp_path)
    assert pickle.loads(pickle.dumps(writer)) == writer
