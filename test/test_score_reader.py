"""Read results of views: each format, wrong lengths and types, damaged files, digests."""

import io
import os
import re
from pathlib import Path

import numpy as np
import pytest
import xxhash

from x3d.storage import score_reader
from x3d.storage.result_folder import Result, write_result
from x3d.storage.score_reader import ScoreReader, read_scores

SCORES = np.array([1 / 3, 1e-8 / 7, 3.0], dtype=np.float32)


def write(folder: Path, stem: str, scores: np.ndarray, suffix: str) -> str:
    return str(folder / write_result(folder, stem, scores, suffix)[0])


@pytest.mark.parametrize("suffix", [".bin", ".npy", ".txt"])
def test_results_are_read_back_exactly(suffix, tmp_path):
    path = write(tmp_path, "61_7", SCORES[None], suffix)
    assert path == str(tmp_path / f"61_7_0{suffix}")
    scores = read_scores(path, 3)
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(scores, SCORES)


def test_a_suffix_in_capitals_is_read(tmp_path):
    SCORES.tofile(tmp_path / "61_7_0.BIN")
    np.save(tmp_path / "x.npy", SCORES)
    (tmp_path / "x.npy").rename(tmp_path / "62_7_0.NPY")
    for name in ("61_7_0.BIN", "62_7_0.NPY"):
        np.testing.assert_array_equal(read_scores(str(tmp_path / name), 3), SCORES)


def npy() -> bytes:
    content = io.BytesIO()
    np.save(content, SCORES)
    return content.getvalue()


WRONG = {
    "short.bin": (SCORES[:2].tofile, "cannot be read as scores: 8 bytes; 3 float32 .* are 12"),
    "long.bin": (
        lambda path: np.tile(SCORES, 2).tofile(path),
        "cannot be read as scores: 24 bytes; 3 float32 .* are 12, and ais_bench writes twice as many for float32 views and an .om that takes f",
    ),
    "byte.bin": (lambda path: path.write_bytes(SCORES.tobytes() + b"x"), "cannot be read as scores: 13 bytes"),
    "empty.bin": (lambda path: path.touch(), "cannot be read as scores: 0 bytes"),
    "none.bin": (lambda path: None, "cannot be read as scores: .*No such file"),
    "short.npy": (lambda path: np.save(path, SCORES[:2]), "holds 2 scores; 3 are needed"),
    "double.npy": (
        lambda path: np.save(path, SCORES.astype(float)),
        "cannot be read as scores: 3 float64 scores; float32 are needed",
    ),
    "empty.npy": (lambda path: path.touch(), "cannot be read as scores"),
    "cut.npy": (lambda path: path.write_bytes(b"\x93NUMPY"), "cannot be read as scores"),
    "bracket.npy": (
        lambda path: path.write_bytes(npy().replace(b"(3,)", b"(3, ")),
        "cannot be read as scores: its .npy",
    ),
    "huge.npy": (lambda path: path.write_bytes(npy().replace(b"(3,)", b"(9" + 15 * b"0" + b",)")), "cannot be read as"),
    "deep.npy": (lambda path: path.write_bytes(npy().replace(b"(3,)", 3000 * b"(")), "cannot be read as scores"),
    "longer.npy": (lambda path: path.write_bytes(npy() + b"1234"), "cannot be read as scores"),
    "large.npy": (lambda path: path.write_bytes(bytes(10**6)), "cannot be read as .*: 1000000 bytes"),
    "folder.txt": (Path.mkdir, "cannot be read as scores: Is a directory"),
    "pipe.bin": (os.mkfifo, "cannot be read as scores: "),
    "pipe.npy": (os.mkfifo, "cannot be read as scores: not a regular file"),
    "latin.txt": (lambda path: path.write_bytes(b"1 2 \xb3"), "cannot be read as scores"),
    "long.txt": (lambda path: path.write_text("1 2 3 4"), "holds 4 scores"),
    "words.txt": (lambda path: path.write_text("a b c"), "cannot be read as scores"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_of_another_length_or_type_is_named(name, tmp_path):
    spoil, match = WRONG[name]
    spoil(tmp_path / name)
    with pytest.raises(ValueError, match=f"{name} {match}"):
        read_scores(str(tmp_path / name), 3)
    [(path, cause)] = ScoreReader(1, 3).read([Result(0, 0, str(tmp_path / name))])
    assert path == str(tmp_path / name)
    assert re.match(match, cause)


def test_raw_scores_of_the_right_length_are_read_straight_into_their_row(tmp_path, monkeypatch):
    path = write(tmp_path, "0_0", SCORES[None], ".bin")
    monkeypatch.setattr(score_reader, "decode_scores", None)
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
        (tmp_path / str(factor)).mkdir()
        results = []
        for view, suffix in enumerate((".bin", ".npy", ".txt")):
            path = write(tmp_path / str(factor), str(view), factor * (view + 1) * SCORES[None], suffix)
            results.append(Result(view, 0, path))
        assert reader.read(results) == []
        assert reader.rows.dtype == np.float32
        np.testing.assert_array_equal(reader.rows, np.stack([factor * (view + 1) * SCORES for view in range(3)]))


def digests(*paths: str) -> dict[str, str]:
    return {Path(path).name: xxhash.xxh3_64_hexdigest(Path(path).read_bytes()) for path in paths}


@pytest.mark.parametrize("suffix", [".bin", ".npy", ".txt"])
def test_a_flipped_bit_of_a_result_with_a_digest_is_noticed(suffix, tmp_path):
    path = write(tmp_path, "0_0", SCORES[None], suffix)
    reader = ScoreReader(1, 3, digests(path))
    assert reader.read([Result(0, 0, path)]) == []
    content = bytearray(Path(path).read_bytes())
    content[-2] ^= 1
    Path(path).write_bytes(content)
    cause = "is damaged or replaced: its digest is not in the summary of the run; run x3d_infer.py again"
    assert reader.read([Result(0, 0, path)]) == [(path, cause)]


def test_a_result_without_a_digest_is_noticed_if_others_have_one(tmp_path):
    paths = [write(tmp_path, name, SCORES[None], ".bin") for name in ("0_0", "1_0")]
    reader = ScoreReader(2, 3, digests(paths[0]))
    [(path, cause)] = reader.read([Result(0, 0, paths[0]), Result(1, 0, paths[1])])
    assert path == paths[1]
    assert cause.startswith("has no digest in the summary of the run")
