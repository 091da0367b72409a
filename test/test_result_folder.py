import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xxhash

from x3d.errors import RunError
from x3d.storage import result_folder
from x3d.storage.result_folder import Result, find_results, new_result_folder, write_result

SCORES = np.array([1 / 3, 1e-8 / 7, 3.0], dtype=np.float32)


def test_results_are_listed_in_order_with_those_of_devices(tmp_path):
    for name in ("10_7_0.bin", "device1/2_7_0.npy", "device0/1_-1_0.txt", "device3_2/11_7_0.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    results, foreign = find_results(str(tmp_path))
    assert results == [
        Result(1, -1, str(tmp_path / "device0/1_-1_0.txt")),
        Result(2, 7, str(tmp_path / "device1/2_7_0.npy")),
        Result(10, 7, str(tmp_path / "10_7_0.bin")),
        Result(11, 7, str(tmp_path / "device3_2/11_7_0.bin")),
    ]
    assert foreign == []


def test_many_results_are_listed_in_order_of_the_views(tmp_path):
    views = np.random.RandomState(0).permutation(60).tolist()
    for view in views:
        (tmp_path / f"{view}_7_0.bin").touch()
    assert [result.view for result in find_results(str(tmp_path))[0]] == list(range(60))


def test_other_files_are_listed_and_other_folders_and_summaries_are_not(tmp_path):
    for name in (
        "0_7_1.bin",
        "notes.txt",
        "device0/x.bin",
        "device0_summary.json",
        "sub/9_7_0.bin",
        "device/9_7_0.bin",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_results(str(tmp_path)) == (
        [],
        [f"{name} is not the result of a view" for name in ("0_7_1.bin", "device0/x.bin", "notes.txt")],
    )


def test_files_of_no_run_are_passed_over(tmp_path):
    (tmp_path / "device0").mkdir()
    for name in (".DS_Store", "._0_7_0.bin", "Thumbs.db", "sumary.json", "x_summary.json", "device0/.DS_Store"):
        (tmp_path / name).touch()
    assert find_results(str(tmp_path)) == ([], [])


def test_a_pipe_or_a_folder_with_the_name_of_a_result_is_named_and_not_read(tmp_path):
    os.mkfifo(tmp_path / "0_7_0.bin")
    (tmp_path / "1_7_0.bin").mkdir()
    os.mkfifo(tmp_path / "pipe")
    assert find_results(str(tmp_path)) == (
        [],
        [
            "0_7_0.bin is not a regular file; remove it",
            "1_7_0.bin is not a regular file; remove it",
            "pipe is not the result of a view",
        ],
    )


@pytest.mark.parametrize(
    ("folder", "problem"),
    [
        ("", "X3D_POSTPROCESS.OM_OUTPUT_PATH is empty; set it to what ais_bench"),
        ("none", "none does not exist; set X3D_POSTPROCESS.OM_OUTPUT_PATH to what ais_bench"),
    ],
)
def test_a_folder_that_does_not_exist_is_rejected(folder, problem):
    with pytest.raises(ValueError, match=f"^{problem}"):
        find_results(folder)


def test_text_has_a_line_of_scores_for_each_view(tmp_path):
    name, _ = write_result(tmp_path, "61_7", SCORES[None], ".txt")
    assert (tmp_path / name).read_text() == "0.333333343 1.42857148e-09 3\n"


@pytest.mark.parametrize("suffix", [".bin", ".npy", ".txt"])
def test_the_digest_is_that_of_the_bytes_on_disk(suffix, tmp_path):
    name, digest = write_result(tmp_path, "61_7", SCORES[None], suffix)
    assert digest == xxhash.xxh3_64_hexdigest((tmp_path / name).read_bytes())


def write_folder(folder: Path, suffix: str = ".bin", then: Callable[[], object] = lambda: None) -> None:
    """Write a folder of one result, and do something before it is complete."""
    with new_result_folder(folder) as partial:
        write_result(partial, "61_7", SCORES, suffix)
        then()


@pytest.mark.parametrize("suffix", [".bin", ".npy", ".txt"])
def test_a_full_disk_is_an_error_that_names_the_result(suffix, tmp_path, monkeypatch):
    write = os.write

    def fill(descriptor, data):
        if b".scratch-" in bytes(data):
            return write(descriptor, data)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", fill)
    match = rf"{tmp_path}/res/61_7_0{suffix} cannot be written: No space left on device; infer again"
    with pytest.raises(RunError, match=match):
        write_folder(tmp_path / "res", suffix)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_results_appears_when_it_is_complete_and_synced(tmp_path, monkeypatch):
    acts = []
    monkeypatch.setattr(result_folder, "sync_file_system", lambda path: acts.append(f"sync {path.name}"))
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: (acts.append(f"rename {new.name}"), replace(old, new)))
    monkeypatch.setattr(result_folder, "sync_folder", lambda path: acts.append(f"sync {path.name}"))
    with new_result_folder(tmp_path / "res") as partial:
        write_result(partial, "61_7", SCORES, ".bin")
        assert not (tmp_path / "res").exists()
    assert acts == ["sync res", "rename res", f"sync {tmp_path.name}"]
    assert [path.name for path in tmp_path.iterdir()] == ["res"]
    assert (tmp_path / "res").stat().st_mode & 0o777 == 0o777 & ~current_umask()


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_folder_that_another_run_writes_is_rejected(tmp_path):
    with (
        new_result_folder(tmp_path / "res"),
        pytest.raises(ValueError, match=r"\.res\.lock is in use by another run"),
        new_result_folder(tmp_path / "res"),
    ):
        pass


def test_a_folder_filled_meanwhile_is_not_replaced(tmp_path):
    def fill():
        (tmp_path / "res").mkdir()
        (tmp_path / "res" / "0_0_0.bin").touch()

    with pytest.raises(RunError, match=r"/res cannot be written: .*; all results are in .*/res, rename it") as error:
        write_folder(tmp_path / "res", then=fill)
    assert [path.name for path in (tmp_path / "res").iterdir()] == ["0_0_0.bin"]
    kept = Path(str(error.value).partition("results are in ")[2].removesuffix(", rename it"))
    assert [path.name for path in kept.iterdir()] == ["61_7_0.bin"]
    write_folder(tmp_path / "other")
    assert kept.exists(), "the next run leaves it"


def test_a_link_in_the_place_of_the_folder_is_rejected_at_the_start(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "res").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"/res is a link, .*; give another --output_dirname"):
        write_folder(tmp_path / "res", then=lambda: pytest.fail("started"))


def test_an_error_of_another_file_is_not_called_one_of_the_results(tmp_path):
    with pytest.raises(PermissionError) as error:
        write_folder(tmp_path / "res", then=lambda: open_without_permission(tmp_path / "elsewhere"))
    assert error.value.filename == str(tmp_path / "elsewhere")


def open_without_permission(path: Path) -> None:
    raise PermissionError(13, "Permission denied", str(path))


def test_a_run_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyError):
        write_folder(tmp_path / "res", then=lambda: {}["x"])
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_write_of_the_summary_left_is_removed(tmp_path):
    (tmp_path / f".r_summary.json.{7:016x}").touch()
    with new_result_folder(tmp_path / "r"):
        pass
    assert list(tmp_path.iterdir()) == []
