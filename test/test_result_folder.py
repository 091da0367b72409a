from pathlib import Path

import numpy as np
import pytest

from x3d.storage import result_folder
from x3d.storage.result_folder import Result, ScoreReader, find_results, read_scores, write_result

SCORES = np.array([1 / 3, 1e-8 / 7, 3.0], dtype=np.float32)


def test_results_are_listed_in_order_with_those_of_devices(tmp_path):
    for name in ("10_7_0.bin", "device1/2_7_0.npy", "device0/1_-1_0.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    results, foreign = find_results(str(tmp_path))
    assert results == [
        Result(1, -1, str(tmp_path / "device0/1_-1_0.txt")),
        Result(2, 7, str(tmp_path / "device1/2_7_0.npy")),
        Result(10, 7, str(tmp_path / "10_7_0.bin")),
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
    assert find_results(str(tmp_path)) == ([], ["0_7_1.bin", "device0/x.bin", "notes.txt"])


@pytest.mark.parametrize(("folder", "named"), [("", "X3D_POSTPROCESS.OM_OUTPUT_PATH"), ("none", "none")])
def test_a_folder_that_does_not_exist_is_rejected(folder, named):
    with pytest.raises(ValueError, match=rf"^{named} is not a folder of results; set X3D_POSTPROCESS.OM_OUTPUT_PATH"):
        find_results(folder)


@pytest.mark.parametrize("suffix", [".bin", ".npy", ".txt"])
def test_results_are_read_back_exactly(suffix, tmp_path):
    outputs = [SCORES[None], 2 * SCORES[None]]
    paths = write_result(str(tmp_path), "61_7", outputs, suffix)
    assert paths == [str(tmp_path / f"61_7_{number}{suffix}") for number in range(2)]
    for path, output in zip(paths, outputs, strict=True):
        scores = read_scores(path, 3)
        assert scores.dtype == np.float32
        np.testing.assert_array_equal(scores, output[0])


def test_text_has_a_line_of_scores_for_each_view(tmp_path):
    [path] = write_result(str(tmp_path), "61_7", [SCORES[None]], ".txt")
    assert Path(path).read_text() == "0.333333343 1.42857148e-09 3\n"


def test_a_suffix_in_capitals_is_read(tmp_path):
    SCORES.tofile(tmp_path / "61_7_0.BIN")
    np.save(tmp_path / "x.npy", SCORES)
    (tmp_path / "x.npy").rename(tmp_path / "62_7_0.NPY")
    for name in ("61_7_0.BIN", "62_7_0.NPY"):
        np.testing.assert_array_equal(read_scores(str(tmp_path / name), 3), SCORES)


WRONG = {
    "short.bin": (SCORES[:2].tofile, "cannot be read as scores: 8 bytes; 3 float32 .* are 12"),
    "long.bin": (lambda path: np.tile(SCORES, 2).tofile(path), "cannot be read as scores: 24 bytes; 3 float32"),
    "byte.bin": (lambda path: path.write_bytes(SCORES.tobytes() + b"x"), "cannot be read as scores: 13 bytes"),
    "empty.bin": (lambda path: path.touch(), "cannot be read as scores: 0 bytes"),
    "none.bin": (lambda path: None, "cannot be read as scores: .*No such file"),
    "short.npy": (lambda path: np.save(path, SCORES[:2]), "holds 2 float32 scores; 3 float32 are needed"),
    "double.npy": (lambda path: np.save(path, SCORES.astype(float)), "holds 3 float64 scores; 3 float32 are needed"),
    "empty.npy": (lambda path: path.touch(), "cannot be read as scores"),
    "cut.npy": (lambda path: path.write_bytes(b"\x93NUMPY"), "cannot be read as scores"),
    "long.txt": (lambda path: path.write_text("1 2 3 4"), "holds 4 float32 scores"),
    "words.txt": (lambda path: path.write_text("a b c"), "cannot be read as scores"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_of_another_length_or_type_is_named(name, tmp_path):
    write, match = WRONG[name]
    write(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name} {match}"):
        read_scores(str(tmp_path / name), 3)
    [problem] = ScoreReader(1, 3).read([Result(0, 0, str(tmp_path / name))])
    assert problem.startswith(str(tmp_path / name))


def test_raw_scores_of_the_right_length_are_read_straight_into_their_row(tmp_path, monkeypatch):
    [path] = write_result(str(tmp_path), "0_0", [SCORES[None]], ".bin")
    monkeypatch.setattr(result_folder, "read_scores", None)
    reader = ScoreReader(1, 3)
    assert reader.read([Result(0, 0, path)]) == []
    np.testing.assert_array_equal(reader.rows[0], SCORES)


class Trap:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_an_array_of_objects_is_rejected_without_unpickling_it(tmp_path):
    np.save(tmp_path / "0_0_0.npy", np.array([Trap(tmp_path / "sprung")] * 3), allow_pickle=True)
    with pytest.raises(ValueError, match=r"0_0_0\.npy cannot be read as scores: "):
        read_scores(str(tmp_path / "0_0_0.npy"), 3)
    assert not (tmp_path / "sprung").exists()


def test_the_views_of_a_video_are_read_in_order(tmp_path):
    reader = ScoreReader(3, 3)
    for factor in (1, 2):
        results = []
        for view, suffix in enumerate((".bin", ".npy", ".txt")):
            [path] = write_result(str(tmp_path), str(view), [factor * (view + 1) * SCORES[None]], suffix)
            results.append(Result(view, 0, path))
        assert reader.read(results) == []
        assert reader.rows.dtype == np.float32
        np.testing.assert_array_equal(reader.rows, np.stack([factor * (view + 1) * SCORES for view in range(3)]))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_named(value, tmp_path):
    good = write_result(str(tmp_path), "0_0", [SCORES[None]], ".bin")
    bad = write_result(str(tmp_path), "1_0", [np.array([[value, 0, 0]], np.float32)], ".bin")
    results = [Result(0, 0, good[0]), Result(1, 0, bad[0])]
    assert ScoreReader(2, 3).read(results) == [f"{bad[0]} holds scores that are not finite (NaN or infinity)"]
