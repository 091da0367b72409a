import errno
import os
from pathlib import Path

import numpy as np
import pytest

from x3d.storage.view_reader import batched, check_inputs, list_inputs, read_batch

SHAPE = (3, 2, 5, 5)
VIEW = np.random.RandomState(0).rand(1, *SHAPE).astype(np.float32)


def test_the_views_of_a_folder_are_listed_in_natural_order(tmp_path):
    for name in ("10_3.npy", "2_7.npy", "1_0.BIN", "manifest.json", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "0_0.npy").touch()
    assert list_inputs(str(tmp_path)) == [str(tmp_path / name) for name in ("1_0.BIN", "2_7.npy", "10_3.npy")]


def test_capitals_do_not_change_the_order(tmp_path):
    for name in ("b1.npy", "C1.npy", "A1.npy"):
        (tmp_path / name).touch()
    assert list_inputs(str(tmp_path)) == [str(tmp_path / name) for name in ("A1.npy", "b1.npy", "C1.npy")]


def test_a_file_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    def fail(path: str, **settings: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    np.save(tmp_path / "0_0.npy", VIEW)
    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(ValueError, match=r"cannot be used: 1\n.*0_0\.npy cannot be read: .*Input/output error"):
        check_inputs([str(tmp_path / "0_0.npy")], SHAPE)


def test_files_with_a_comma_between_are_listed_as_given(tmp_path):
    paths = [str(tmp_path / name) for name in ("2_7.npy", "1_0.bin")]
    for path in paths:
        open(path, "w").close()
    assert list_inputs(",".join(paths)) == paths
    assert list_inputs(paths[1]) == paths[1:]


def test_a_missing_file_or_folder_is_named(tmp_path):
    (tmp_path / "a.npy").touch()
    with pytest.raises(ValueError, match=f"--input {tmp_path}/b.npy is neither a folder nor a file"):
        list_inputs(f"{tmp_path}/a.npy,{tmp_path}/b.npy")
    with pytest.raises(ValueError, match=f"--input {tmp_path}/none is neither a folder nor a file"):
        list_inputs(f"{tmp_path}/none")


def test_a_folder_without_views_is_rejected(tmp_path):
    (tmp_path / "manifest.json").touch()
    with pytest.raises(ValueError, match=r"holds no .npy or .bin; make them with x3d_preprocess.py"):
        list_inputs(str(tmp_path))


def save_unordered(path):
    np.save(path, np.asfortranarray(VIEW))


def save_cut(path: Path) -> None:
    np.save(path, VIEW)
    os.truncate(path, 700)


def save_archive(path):
    np.savez(path.with_suffix(".npz"), VIEW)
    path.with_suffix(".npz").rename(path)


NEEDED = r"float32 of shape \(1, 3, 2, 5, 5\) is needed"
WRONG = {
    "short.bin": (lambda path: path.write_bytes(VIEW.tobytes()[:-1]), f"{NEEDED}, 600 bytes; it has 599"),
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
    "archive.npy": (save_archive, f"{NEEDED}; it is an archive of arrays"),
    "cut.npy": (save_cut, "is not a complete .npy file"),
    "empty.npy": (lambda path: path.touch(), "is not a complete .npy file"),
    "pickle.npy": (lambda path: path.write_bytes(VIEW.dumps()), "is not a complete .npy file"),
    "objects.npy": (lambda path: np.save(path, np.array([{}]), allow_pickle=True), "is not a complete .npy file"),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_is_not_a_view_is_named(name, tmp_path):
    write, match = WRONG[name]
    write(tmp_path / name)
    np.save(tmp_path / "good.npy", VIEW)
    with pytest.raises(ValueError, match=f"--input holds files that cannot be used: 1\n.*{name}:? {match}"):
        check_inputs([str(tmp_path / "good.npy"), str(tmp_path / name)], SHAPE)


def test_views_are_accepted_with_and_without_their_first_axis(tmp_path):
    np.save(tmp_path / "0_0.npy", VIEW)
    np.save(tmp_path / "1_0.npy", VIEW[0])
    VIEW.tofile(tmp_path / "2_0.bin")
    paths = list_inputs(str(tmp_path))
    check_inputs(paths, SHAPE)
    batch = read_batch(paths, SHAPE)
    assert (batch.shape, batch.dtype) == ((3, *SHAPE), np.float32)
    np.testing.assert_array_equal(batch, np.concatenate([VIEW] * 3))


def test_two_files_of_one_result_are_rejected(tmp_path):
    np.save(tmp_path / "0_0.npy", VIEW)
    VIEW.tofile(tmp_path / "0_0.bin")
    with pytest.raises(ValueError, match=r"0_0.npy and .*0_0.bin would write the same result"):
        check_inputs(list_inputs(str(tmp_path)), SHAPE)


def test_a_batch_holds_its_files_in_order_and_no_more(tmp_path):
    for number in range(3):
        np.save(tmp_path / f"{number}_0.npy", number * VIEW)
    paths = [str(tmp_path / f"{number}_0.npy") for number in (2, 0)]
    np.testing.assert_array_equal(read_batch(paths, SHAPE), np.concatenate([2 * VIEW, 0 * VIEW]))


def test_a_list_is_split_into_batches():
    assert list(batched(["a", "b", "c"], 2)) == [(0, ["a", "b"]), (2, ["c"])]
    assert list(batched([], 2)) == []
