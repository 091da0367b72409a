import io
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from natsort import natsorted, ns

from x3d.dataset.annotations import Video
from x3d.dataset.naming import WHOLE, Shard
from x3d.errors import RunError
from x3d.scoring.table import Failure
from x3d.storage.atomic import take_lock
from x3d.storage.entries import WrittenViews
from x3d.storage.manifest import Manifest
from x3d.storage.shards import manifest_name
from x3d.storage.view_reader import Views, batched, open_views, sort_names
from x3d.storage.view_writer import ViewWriter
from x3d.video.source import Source

SHAPE = (3, 2, 5, 5)
VIEW = np.random.RandomState(0).rand(1, *SHAPE).astype(np.float32)
HALF = VIEW.astype(np.float16)


def test_the_views_of_a_folder_are_listed_in_natural_order(tmp_path):
    for name in ("10_3.npy", "2_7.npy", "1_0.BIN", "info.json", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "0_0.npy").touch()
    assert open_views(str(tmp_path)).paths == [str(tmp_path / name) for name in ("1_0.BIN", "2_7.npy", "10_3.npy")]


def test_capitals_do_not_change_the_order(tmp_path):
    for name in ("b1.npy", "C1.npy", "A1.npy"):
        (tmp_path / name).touch()
    assert open_views(str(tmp_path)).paths == [str(tmp_path / name) for name in ("A1.npy", "b1.npy", "C1.npy")]


def test_canonical_names_sort_by_their_numbers_as_natural_order_does():
    chance = random.Random(0)
    names = [
        f"{view}_{label}.{suffix}"
        for view in (0, 2, 10, 592829, 999999999999)
        for label in (-399, -10, -2, -1, 0, 1, 2, 10, 399, 999999999)
        for suffix in ("bin", "npy")
    ]
    assert sort_names(chance.sample(names, len(names))) == natsorted(sorted(names), alg=ns.IGNORECASE)


@pytest.mark.parametrize("seed", range(20))
def test_numbers_sort_as_natural_order_does(seed):
    chance = random.Random(seed)
    labels = [-1, 0, 1, 2, 10, 12, 399, -12, -399]
    views = [0, 1, 2, 9, 10, 11, 99, 100, 101, 592829, 999999999999]
    suffixes = [".npy", ".bin", ".NPY", ".Bin"]
    digits = ["{}", "{}", "0{}", "00{}"]
    names = {
        f"{chance.choice(digits).format(chance.choice(views))}_{chance.choice(labels)}{chance.choice(suffixes)}"
        for _ in range(300)
    }
    names -= {name for name in names if len(name.split("_")[0]) > 12}
    shuffled = chance.sample(sorted(names), len(names))
    assert sort_names(shuffled) == natsorted(sorted(names), alg=ns.IGNORECASE)
    assert sort_names([*shuffled, "x2.npy"]) == natsorted([*sorted(names), "x2.npy"], alg=ns.IGNORECASE)


def test_digits_of_other_scripts_are_no_view_numbers():
    assert sort_names(["10_0.npy", "\u0662_0.npy", "3_0.npy"]) == ["\u0662_0.npy", "3_0.npy", "10_0.npy"]


def check_inputs(paths: list[str]) -> None:
    open_views(",".join(paths)).check(SHAPE)


def test_files_with_a_comma_between_are_listed_as_given(tmp_path):
    paths = [str(tmp_path / name) for name in ("2_7.npy", "1_0.bin")]
    for path in paths:
        open(path, "w").close()
    assert open_views(",".join(paths)).paths == paths
    assert open_views(paths[1]).paths == paths[1:]


def test_a_missing_file_or_folder_is_named(tmp_path):
    (tmp_path / "a.npy").touch()
    with pytest.raises(ValueError, match=f"--input {tmp_path}/b.npy does not exist; give a folder of views"):
        open_views(f"{tmp_path}/a.npy,{tmp_path}/b.npy")
    with pytest.raises(ValueError, match=f"--input {tmp_path}/none does not exist; give a folder of views"):
        open_views(f"{tmp_path}/none")
    (tmp_path / "sub").mkdir()
    with pytest.raises(ValueError, match=f"--input names the folder {tmp_path}/sub among others; give one"):
        open_views(f"{tmp_path}/a.npy,{tmp_path}/sub")


def test_a_folder_without_views_is_rejected(tmp_path):
    (tmp_path / "manifest.json").touch()
    with pytest.raises(ValueError, match=r"holds no .npy or .bin; make them with x3d_preprocess.py"):
        open_views(str(tmp_path))


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path.parent)])
def test_only_regular_files_are_views(make: Callable[[Path], None], tmp_path):
    make(tmp_path / "0_0.npy")
    with pytest.raises(
        ValueError, match=r"--input .*0_0.npy is not a regular file, nor a link to one; move it elsewhere"
    ):
        open_views(str(tmp_path))


def test_a_link_to_a_view_is_read_and_a_broken_one_named(tmp_path):
    np.save(tmp_path / "elsewhere", VIEW)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "0_0.npy").symlink_to(tmp_path / "elsewhere.npy")
    views = open_views(str(tmp_path / "in"))
    views.check(SHAPE)
    np.testing.assert_array_equal(views.read(views.paths, SHAPE), VIEW)
    (tmp_path / "elsewhere.npy").unlink()
    with pytest.raises(ValueError, match=r"--input .*0_0.npy is not a regular file, nor a link to one"):
        open_views(str(tmp_path / "in"))


def save_unordered(path):
    np.save(path, np.asfortranarray(VIEW))


def save_cut(path: Path) -> None:
    np.save(path, VIEW)
    os.truncate(path, 700)


def save_archive(path):
    np.savez(path.with_suffix(".npz"), VIEW)
    path.with_suffix(".npz").rename(path)


def npy(view: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, view)
    return file.getvalue()


def damage(path: Path, old: bytes, new: bytes) -> None:
    assert npy(VIEW).count(old) >= 1
    path.write_bytes(npy(VIEW).replace(old, new, 1))


def write_header(path: Path, text: str) -> None:
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + VIEW.tobytes())


NEEDED = r"float32( or float16)? of shape \(1, 3, 2, 5, 5\) is needed"
WRONG = {
    "short.bin": (lambda path: path.write_bytes(VIEW.tobytes()[:-1]), f"{NEEDED}, 600 bytes; it has 599"),
    "half.bin": (
        lambda path: path.write_bytes(HALF.tobytes()),
        f"{NEEDED}, 600 bytes; it has 300, as float16 has; keep manifest.json, which records the type, beside",
    ),
    "cut_half.npy": (
        lambda path: path.write_bytes(npy(HALF)[:-1]),
        r"float16 of shape \(1, 3, 2, 5, 5\) is needed, 428 bytes; it has 427",
    ),
    "long.BIN": (lambda path: path.write_bytes(VIEW.tobytes() + b"x"), f"{NEEDED}, 600 bytes; it has 601"),
    "double.npy": (lambda path: np.save(path, VIEW.astype(float)), rf"{NEEDED}; it has float64 of shape \(1, 3, 2"),
    "size.npy": (lambda path: np.save(path, VIEW[..., :4]), rf"{NEEDED}; it has float32 of shape \(1, 3, 2, 5, 4\)"),
    "two.npy": (lambda path: np.save(path, np.concatenate([VIEW, VIEW])), rf"{NEEDED}; it has float32 of shape \(2"),
    "flat.npy": (lambda path: np.save(path, VIEW.ravel()), rf"{NEEDED}; it has float32 of shape \(150,\)"),
    "axes.npy": (
        lambda path: np.save(path, VIEW.transpose(0, 2, 1, 3, 4)),
        rf"{NEEDED}; it has float32 of shape \(1, 2",
    ),
    "order.npy": (save_unordered, f"{NEEDED} in C order"),
    "archive.npy": (save_archive, "it is not a .npy file but a zip archive"),
    "cut.npy": (save_cut, f"{NEEDED}, 728 bytes; it has 700"),
    "more.npy": (lambda path: path.write_bytes(npy(VIEW) + b"x"), f"{NEEDED}, 728 bytes; it has 729"),
    "empty.npy": (lambda path: path.touch(), "it is not a .npy file but an empty file"),
    "text.npy": (lambda path: path.write_text("hello"), "it is not a .npy file but text"),
    "pickle.npy": (lambda path: path.write_bytes(VIEW.dumps()), "it is not a .npy file"),
    "objects.npy": (
        lambda path: np.save(path, np.array([{}]), allow_pickle=True),
        f"{NEEDED}; it holds pickled Python objects",
    ),
    "endian.npy": (lambda path: np.save(path, VIEW.astype(">f4")), f"{NEEDED}; it has >f4 of shape"),
    "fields.npy": (lambda path: np.save(path, np.zeros(3, "f4,f4")), rf"{NEEDED}; it has \[\('f0', '<f4'\)"),
    "bracket.npy": (lambda path: damage(path, b"(1, 3", b"(1; 3"), "its .npy header is damaged"),
    "token.npy": (lambda path: damage(path, b"}", b"("), "its .npy header is damaged"),
    "deep.npy": (lambda path: write_header(path, 9000 * "("), "its .npy header is damaged"),
    "minus.npy": (lambda path: damage(path, b"(1, 3", b"(-1,3"), "its .npy header is damaged"),
    "keys.npy": (lambda path: damage(path, b"'descr'", b"'descR'"), "its .npy header is damaged"),
    "type.npy": (lambda path: damage(path, b"'<f4'", b"'<q4'"), f"{NEEDED}; it has '<q4' of shape"),
    "name.npy": (lambda path: damage(path, b"'<f4'", b"__imp"), "its .npy header is damaged"),
    "magic.npy": (lambda path: damage(path, b"NUMPY", b"NUMPX"), "it is not a .npy file"),
    "version.npy": (lambda path: damage(path, b"\x01\x00", b"\x09\x00"), "its .npy header is damaged"),
    "length.npy": (lambda path: damage(path, b"\x76\x00", b"\x77\x00"), f"{NEEDED}, 729 bytes; it has 728"),
    "digits.npy": (
        lambda path: write_header(path, f"{{'descr': '<f4', 'fortran_order': False, 'shape': (0x{5000 * 'f'},)}}"),
        "its .npy header is damaged",
    ),
    "many.npy": (
        lambda path: write_header(path, f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({9000 * '1,'})}}"),
        rf"{NEEDED}; it has float32 of shape \(1, 1, 1, 1, 1, 1, \.\.\.\)$",
    ),
    "giant.npy": (
        lambda path: write_header(path, "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,)}"),
        rf"{NEEDED}; it has float32 of shape \(1099511627776,\)",
    ),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_not_a_view_is_named(name, tmp_path):
    write, match = WRONG[name]
    write(tmp_path / name)
    np.save(tmp_path / "good.npy", VIEW)
    with pytest.raises(ValueError, match=f"--input holds files that the model cannot take: 1\n.*{name}:? {match}"):
        check_inputs([str(tmp_path / "good.npy"), str(tmp_path / name)])


def test_float16_views_are_read_as_they_are_or_converted(tmp_path):
    np.save(tmp_path / "0_0.npy", HALF)
    views = open_views(str(tmp_path))
    views.check(SHAPE)
    assert views.dtype == "float16"
    as_they_are, converted = (views.read(views.paths, SHAPE, dtype) for dtype in ("float16", "float32"))
    assert (as_they_are.dtype, converted.dtype) == (np.float16, np.float32)
    np.testing.assert_array_equal(as_they_are, HALF)
    np.testing.assert_array_equal(converted, HALF)
    assert np.abs(converted - VIEW).max() <= 2**-12, "values below 1"


def test_float32_views_become_what_a_float16_input_takes(tmp_path):
    np.save(tmp_path / "0_0.npy", VIEW)
    views = open_views(str(tmp_path))
    views.check(SHAPE, "float16")
    assert views.dtype == "float32"
    read = views.read(views.paths, SHAPE, "float16")
    assert read.dtype == np.float16
    np.testing.assert_array_equal(read, HALF)


def test_without_a_manifest_a_bin_has_the_type_of_the_models_input(tmp_path):
    HALF.tofile(tmp_path / "0_0.bin")
    views = open_views(str(tmp_path))
    views.check(SHAPE, "float16")
    np.testing.assert_array_equal(views.read(views.paths, SHAPE), HALF)
    VIEW.tofile(tmp_path / "0_0.bin")
    with pytest.raises(ValueError, match=r"float16 of shape .* 300 bytes; it has 600, as float32 has; keep manifest"):
        open_views(str(tmp_path)).check(SHAPE, "float16")


def test_views_of_two_types_are_rejected(tmp_path):
    np.save(tmp_path / "0_0.npy", VIEW)
    np.save(tmp_path / "1_0.npy", HALF)
    match = r"cannot take: 1\n.*0_0\.npy has float32 and .*1_0\.npy has float16; give one type"
    with pytest.raises(ValueError, match=match):
        check_inputs([str(tmp_path / name) for name in ("0_0.npy", "1_0.npy")])


def test_views_are_accepted_with_and_without_their_first_axis(tmp_path):
    np.save(tmp_path / "0_0.npy", VIEW)
    np.save(tmp_path / "1_0.npy", VIEW[0])
    VIEW.tofile(tmp_path / "2_0.bin")
    (tmp_path / "3_0.npy").write_bytes(npy(VIEW[None]))
    with open(tmp_path / "4_0.npy", "wb") as file:
        np.lib.format.write_array(file, VIEW, version=(2, 0))
    views = open_views(str(tmp_path))
    views.check(SHAPE)
    batch = views.read(views.paths, SHAPE)
    assert (batch.shape, batch.dtype) == ((5, *SHAPE), np.float32)
    np.testing.assert_array_equal(batch, np.concatenate([VIEW] * 5))


def test_two_files_of_one_result_are_rejected(tmp_path):
    np.save(tmp_path / "0_0.npy", VIEW)
    VIEW.tofile(tmp_path / "0_0.bin")
    with pytest.raises(ValueError, match=r"0_0.npy and .*0_0.bin would write the same result"):
        open_views(str(tmp_path)).check(SHAPE)


def test_a_file_that_is_listed_twice_is_rejected(tmp_path):
    np.save(tmp_path / "0_0.npy", VIEW)
    with pytest.raises(ValueError, match=r"0_0.npy and .*0_0.npy would write the same result"):
        check_inputs(2 * [str(tmp_path / "0_0.npy")])


def test_a_batch_holds_its_files_in_order_and_no_more(tmp_path):
    for number in range(3):
        np.save(tmp_path / f"{number}_0.npy", number * VIEW)
    paths = [str(tmp_path / f"{number}_0.npy") for number in (2, 0)]
    np.testing.assert_array_equal(open_views(str(tmp_path)).read(paths, SHAPE), np.concatenate([2 * VIEW, 0 * VIEW]))


def test_a_list_is_split_into_batches():
    assert list(batched(["a", "b", "c"], 2)) == [(0, ["a", "b"]), (2, ["c"])]
    assert list(batched([], 2)) == []


VIDEOS = [Video(index, f"{index}.mp4", "", index % 3) for index in range(4)]
PROVENANCE = {"num_videos": 4, "views_per_video": 2}


def write_views(
    folder: Path, shard: Shard = WHOLE, failed: int = -1, suffix: str = ".npy", dtype: str = "float32"
) -> Manifest:
    """Write the views of a shard's videos, all different, and the manifest; of video 3 none."""
    (folder / "scratch").mkdir(parents=True, exist_ok=True)
    writer = ViewWriter(folder, folder / "scratch", suffix, 2, dtype)
    config = {} if dtype == "float32" else {"config": {"X3D_PREPROCESS.DTYPE": dtype}}
    manifest = Manifest(folder / manifest_name(shard), PROVENANCE | config)
    for video in shard.select(VIDEOS[:3]):
        if video.index == failed:
            manifest.record_failed(video, "empty", f"{video.listed}: the file has no bytes")
        else:
            views = [(number, VIEW + 2 * video.index + number) for number in range(2)]
            manifest.record_done(video, WrittenViews(writer.write(video, views), Source(1, 2, 3)))
    manifest.save()
    return manifest


def read_all(views: Views) -> np.ndarray:
    views.check(SHAPE)
    return views.read(views.paths, SHAPE)


@pytest.mark.parametrize("suffix", [".npy", ".bin"])
def test_the_manifest_records_the_type_of_all_views(suffix, tmp_path):
    write_views(tmp_path, suffix=suffix, dtype="float16")
    expected = np.concatenate([VIEW + number for number in range(6)]).astype(np.float16)
    np.testing.assert_array_equal(read_all(open_views(str(tmp_path))), expected)
    path = tmp_path / f"3_1{suffix}"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(RunError, match=r"3_1.* has other values than x3d_preprocess.py wrote"):
        read_all(open_views(str(tmp_path)))


def test_a_view_of_another_type_than_the_manifests_is_rejected(tmp_path):
    write_views(tmp_path / "old")
    write_views(tmp_path / "new", dtype="float16")
    for folder, dtype, other in (("old", "float32", HALF), ("new", "float16", VIEW)):
        np.save(tmp_path / folder / "0_0.npy", other)
        with pytest.raises(ValueError, match=rf"1\n.*0_0\.npy: {dtype} of shape .* is needed; it has {other.dtype} of"):
            open_views(str(tmp_path / folder)).check(SHAPE)


def test_a_type_that_is_not_known_is_rejected(tmp_path):
    write_views(tmp_path)
    Manifest(tmp_path / "manifest.json", PROVENANCE | {"config": {"X3D_PREPROCESS.DTYPE": "int8"}}).save()
    with pytest.raises(ValueError, match=r"manifest.json records int8 views; float32 or float16 are needed"):
        open_views(str(tmp_path))


def test_provenance_and_missing_videos_come_from_the_manifest(tmp_path):
    write_views(tmp_path, failed=1)
    views = open_views(str(tmp_path))
    assert views.provenance == PROVENANCE
    assert views.missing_videos == {
        1: Failure("empty", "1.mp4: the file has no bytes"),
        3: Failure("", "not preprocessed"),
    }
    np.testing.assert_array_equal(read_all(views), np.concatenate([VIEW + number for number in (0, 1, 4, 5)]))


def test_views_without_a_manifest_have_no_provenance(tmp_path):
    np.save(tmp_path / "0_0.npy", VIEW)
    views = open_views(str(tmp_path))
    assert (views.provenance, views.missing_videos) == (None, {})


def test_the_manifests_of_shards_count_also_without_that_of_a_missing_shard(tmp_path):
    write_views(tmp_path, Shard(0, 3))
    write_views(tmp_path, Shard(2, 3))
    views = open_views(str(tmp_path))
    assert views.provenance == PROVENANCE
    assert list(views.missing_videos) == [1, 3]
    assert len(read_all(views)) == 4


def test_the_state_of_a_killed_run_is_read_from_its_journal(tmp_path):
    manifest = write_views(tmp_path)
    manifest.record_failed(VIDEOS[3], "empty", "3.mp4: the file has no bytes")
    assert open_views(str(tmp_path)).missing_videos == {3: Failure("empty", "3.mp4: the file has no bytes")}


def test_every_flipped_bit_of_a_view_is_noticed(tmp_path):
    write_views(tmp_path)
    path = tmp_path / "3_1.npy"
    content, views = path.read_bytes(), open_views(str(tmp_path))
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            read_all(views)
        except RunError as error:
            assert f"{path} has other values than x3d_preprocess.py wrote; remove it and run" in str(error)  # noqa: PT017
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017
        else:
            assert place < 128, "a change of the padding or the version of the header changes no value"
    path.write_bytes(content)
    assert len(read_all(views)) == 6


def test_a_view_that_is_another_videos_is_noticed(tmp_path):
    write_views(tmp_path)
    (tmp_path / "3_1.npy").write_bytes((tmp_path / "2_1.npy").read_bytes())
    with pytest.raises(RunError, match=r"3_1.npy has other values than x3d_preprocess.py wrote; remove it and run x3d"):
        read_all(open_views(str(tmp_path)))


def test_a_file_that_is_replaced_after_the_check_is_noticed(tmp_path):
    np.save(tmp_path / "0_0.npy", VIEW)
    views = open_views(str(tmp_path))
    views.check(SHAPE)
    np.save(tmp_path / "0_0.npy", VIEW[:, :2])
    with pytest.raises(RunError, match=r"0_0\.npy: float32 of shape"):
        views.read(views.paths, SHAPE)
    (tmp_path / "0_0.npy").unlink()
    with pytest.raises(RunError, match=r"0_0\.npy cannot be read: No such file"):
        views.read(views.paths, SHAPE)


@pytest.mark.parametrize("name", ["6_0.npy", "0_1.npy", "00_0.npy", "x.npy", "0_0.x.npy"])
def test_a_view_that_is_not_recorded_is_rejected(name, tmp_path):
    write_views(tmp_path)
    np.save(tmp_path / name, VIEW)
    stem = name.removesuffix(".npy")
    match = rf"holds views that its manifest does not record \(1, such as {stem}\); move them elsewhere, or run x3d_pre"
    with pytest.raises(ValueError, match=match):
        open_views(str(tmp_path))
    with pytest.raises(ValueError, match=match):
        open_views(str(tmp_path / name))


def test_a_recorded_view_that_is_missing_is_named(tmp_path):
    write_views(tmp_path)
    (tmp_path / "5_2.npy").unlink()
    with pytest.raises(
        ValueError, match=r"has no files of views that its manifest records \(1, such as 5_2\); run x3d"
    ):
        open_views(str(tmp_path))
    np.testing.assert_array_equal(read_all(open_views(str(tmp_path / "4_2.npy"))), VIEW + 4)


def test_files_of_two_folders_are_rejected_if_one_has_a_manifest(tmp_path):
    write_views(tmp_path / "a")
    (tmp_path / "b").mkdir()
    np.save(tmp_path / "b" / "0_0.npy", VIEW)
    with pytest.raises(ValueError, match=rf"views of {tmp_path}/a and {tmp_path}/b; give views of one folder"):
        open_views(f"{tmp_path}/a/0_0.npy,{tmp_path}/b/0_0.npy")


def test_files_of_the_current_folder_are_compared_with_its_manifest(tmp_path, monkeypatch):
    write_views(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert open_views("0_0.npy").provenance == PROVENANCE


def test_a_damaged_manifest_is_rejected(tmp_path):
    manifest = write_views(tmp_path)
    manifest.path.write_bytes(manifest.path.read_bytes().replace(b"4", b"5", 1))
    with pytest.raises(ValueError, match=r"manifest.json is damaged"):
        open_views(str(tmp_path))


def test_the_manifest_of_something_else_is_rejected(tmp_path):
    np.save(tmp_path / "0_0.npy", VIEW)
    Manifest(tmp_path / "manifest.json", {"num_videos": 1}).save()
    with pytest.raises(
        ValueError, match=r"manifest.json is not a manifest of views: its provenance has no views_per_vid"
    ):
        open_views(str(tmp_path))


@pytest.mark.parametrize("name", [".manifest.lock", ".manifest-0of2.lock"])
def test_a_folder_where_views_are_written_is_rejected(name, tmp_path):
    write_views(tmp_path)
    lock = take_lock(tmp_path / name)
    with pytest.raises(ValueError, match=rf"is in use by x3d_preprocess.py \({name} is locked\); wait until it ends"):
        open_views(str(tmp_path))
    os.close(lock)
    assert len(open_views(str(tmp_path)).paths) == 6
