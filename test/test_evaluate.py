"""Videos to accuracy in one go: the same scores as by way of files, whatever happens to the run."""

import json
import os
import random
import re
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import x3d_evaluate
import x3d_infer
import x3d_preprocess
import x3d_pth2onnx
from test.helpers import (
    SMALL,
    Dataset,
    evaluate_keys,
    finish,
    kill,
    line_of,
    postprocess,
    preprocess_keys,
    read_rows_of,
    start,
    wait_until,
    with_keys,
)
from test.tables import video_scores
from test.videos import write_video
from x3d.dataset.annotations import Video
from x3d.errors import EngineError, RunError
from x3d.execution.process_pool import Workers
from x3d.network.engine import infer_padded, open_engine
from x3d.network.model_file import read_model
from x3d.pipeline.video_scorer import VideoScorer
from x3d.pipeline.workers import task_resources
from x3d.storage.manifest import Manifest
from x3d.storage.score_rows import ScoreRows, read_score_rows, row_type
from x3d.video.reader import VideoReader
from x3d.video.sampling import Sampling
from x3d.video.source import Source
from x3d.video.transform import Transform

NUM_VIDEOS = 10
ROW = row_type(9, 30, "sum")
ONE_CROP = ["TEST.NUM_SPATIAL_CROPS", "1", "DATA.TEST_CROP_SIZE", "32"]

STAND_IN = '''
import os
import time
from pathlib import Path

import numpy as np
import onnxruntime


class Described:
    pass


class InferSession:
    """What ais_bench's session offers, over ONNX Runtime: a model file that names an .onnx of fixed batch size."""

    def __init__(self, device_id, model_path):
        assert isinstance(device_id, int)
        if os.environ.get("OPENED"):
            with open(os.environ["OPENED"], "a") as file:
                print(device_id, file=file)
            while len(Path(os.environ["OPENED"]).read_text().split()) < int(os.environ["NUM_OPENED"]):
                time.sleep(0.05)  # else the first could score all videos before the last has started
        self._session = onnxruntime.InferenceSession(Path(model_path).read_bytes()[5:].decode())

    def get_inputs(self):
        return [self._describe(port) for port in self._session.get_inputs()]

    def get_outputs(self):
        return [self._describe(port) for port in self._session.get_outputs()]

    def _describe(self, port):
        described = Described()
        described.name, described.datatype, described.shape = port.name, "dtype.float32", list(port.shape)
        return described

    def infer(self, feeds):
        (array,) = feeds
        assert array.dtype == np.float32 and array.shape == tuple(self.get_inputs()[0].shape)
        return self._session.run(None, {"image": array})
'''


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    videos = {f"class {n % 3}/{n}.mp4": {"num_frames": 40 + 7 * n, "width": 64 + 8 * n} for n in range(NUM_VIDEOS)}
    return Dataset(tmp_path_factory.mktemp("data")).write_videos(videos)


def rows(folder: Path) -> np.ndarray:
    found = np.concatenate([read_rows_of(path) for path in folder.glob("manifest*.json")])
    return found[np.argsort(found["video"])]


@pytest.fixture(scope="module")
def model_for(small_checkpoint, tmp_path_factory, small_onnx):
    """Give the model that an engine runs, for a batch size and a size of crop."""
    made = tmp_path_factory.mktemp("models")

    def make(engine: str, batch_size: int, more: tuple[str, ...]) -> Path:
        name = f"{engine}-{batch_size}-{len(more)}"
        onnx = made / f"{name}.onnx"
        fixed = str(batch_size if engine in ("static", "ais_bench") else 0)
        if not onnx.exists():
            export = ["TEST.CHECKPOINT_FILE_PATH", str(small_checkpoint), "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", str(onnx)]
            assert x3d_pth2onnx.main(with_keys(SMALL, *more, *export, "X3D_PTH2ONNX.BATCH_SIZE", fixed)) == 0
        if engine != "ais_bench":
            return onnx
        (made / f"{name}.om").write_bytes(b"IMOD\0" + str(onnx).encode())
        return made / f"{name}.om"

    return make


@pytest.fixture(scope="module")
def views_for(data, tmp_path_factory):
    """Give the folder of views for a number of crops."""
    made = tmp_path_factory.mktemp("views")

    def make(more: tuple[str, ...]) -> Path:
        folder = made / str(len(more))
        if not folder.exists():
            assert x3d_preprocess.main(preprocess_keys(data, folder, *more)) == 0
        return folder

    return make


@pytest.fixture
def stand_in(tmp_path, monkeypatch) -> None:
    """Put a stand-in for ais_bench's session where this process and its workers find it."""
    package = tmp_path / "path" / "ais_bench" / "infer"
    package.mkdir(parents=True)
    (package / "interface.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(str(tmp_path / "path"))
    for module in ("ais_bench", "ais_bench.infer", "ais_bench.infer.interface"):
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.delitem(sys.modules, module)


@pytest.mark.parametrize("more", [(), tuple(ONE_CROP)], ids=["30 views", "10x1"])
@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime", "static", "ais_bench"])
def test_scores_and_line_are_those_of_the_files(
    engine, batch_size, more, data, model_for, views_for, stand_in, tmp_path, capsys
):
    model = model_for(engine, batch_size, more)
    runs = "auto" if engine in ("static", "ais_bench") else engine
    batch = ["TEST.BATCH_SIZE", str(batch_size), "X3D_EVALUATE.ENGINE", runs, "X3D_WORKERS.NUM", "2"]
    assert x3d_evaluate.main(evaluate_keys(data, model, tmp_path / "eval", *more, *batch)) == 0
    streamed = line_of(capsys)

    onnx = model if model.suffix == ".onnx" else Path(model.read_bytes()[5:].decode())
    flags = ["--output", str(tmp_path), "--output_dirname", "res", "--batchsize", str(batch_size)]
    by_files = "onnxruntime" if engine in ("onnxruntime", "ais_bench") else "openvino"
    assert x3d_infer.main(["--model", str(onnx), "--input", str(views_for(more)), *flags, "--engine", by_files]) == 0
    assert postprocess(tmp_path / "res", *more) == 0
    assert line_of(capsys) == streamed

    num_views = 10 if more else 30
    summed = np.zeros((NUM_VIDEOS, 9), dtype=np.float32)
    for path in (tmp_path / "res").iterdir():
        summed[int(path.name.split("_")[0]) // num_views] += np.fromfile(path, dtype=np.float32)
    assert np.abs(rows(tmp_path / "eval")["scores"] - summed).max() < num_views * 1e-6


def test_workers_spread_over_devices_and_the_rows_are_those_of_one(
    data, model_for, stand_in, tmp_path, monkeypatch, capsys
):
    model = model_for("ais_bench", 8, ())
    monkeypatch.setenv("OPENED", str(tmp_path / "opened"))
    for name, device, num_workers, expected in (("one", "3", 1, ["3"]), ("all", "5,7", 3, ["5", "5", "7"])):
        monkeypatch.setenv("NUM_OPENED", str(num_workers))
        keys = ["X3D_EVALUATE.DEVICE", device, "X3D_WORKERS.NUM", str(num_workers)]
        assert x3d_evaluate.main(evaluate_keys(data, model, tmp_path / name, *keys)) == 0
        assert sorted((tmp_path / "opened").read_text().split()) == expected
        (tmp_path / "opened").unlink()
    one, several = (json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("one", "all"))
    assert one["provenance"] == several["provenance"]
    assert one["provenance"]["device"] == "NPU"
    assert rows(tmp_path / "one").tobytes() == rows(tmp_path / "all").tobytes()
    capsys.readouterr()


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime", "static", "ais_bench"])
def test_each_view_gets_the_scores_of_its_file(engine, data, small_cfg, model_for, views_for, stand_in):
    model = str(model_for(engine, 8, ()))
    opened = open_engine(read_model(str(model)), "onnxruntime" if engine == "onnxruntime" else "auto", num_threads=1)
    sampling, transform = Sampling.from_cfg(small_cfg), Transform.from_cfg(small_cfg)
    work = VideoScorer(model, "digest", opened.name, "", "f32", 1, 8, sampling, transform, "sum")
    with VideoReader(str(data.val / "class 1/4.mp4")) as reader:
        scores = work.view_scores(reader, opened, work.sampling)
    for view in range(30):
        single = infer_padded(opened, np.load(views_for(()) / f"{120 + view}_4.npy"))[0]
        assert np.abs(scores[view] - single).max() < 1e-6


@pytest.fixture(scope="module")
def undisturbed(data, small_onnx, tmp_path_factory) -> tuple[bytes, str]:
    out = tmp_path_factory.mktemp("undisturbed")
    process = start("x3d_evaluate.py", evaluate_keys(data, small_onnx, out))
    printed, _ = finish(process)
    assert process.returncode == 0
    return rows(out).tobytes(), printed.splitlines()[-1]


def num_rows(folder: Path) -> int:
    journal = folder / "manifest.rows"
    return journal.stat().st_size // ROW.itemsize if journal.exists() else 0


def test_killed_runs_resume_to_the_same_rows(data, small_onnx, tmp_path):
    """A pipe as the last video keeps a run from ending before its kill."""
    many = data.link(tmp_path / "many", copies=20, more="last.mp4 0\n")
    last, out = many.val / "last.mp4", tmp_path / "eval"
    os.link(many.val / "class 1/4.mp4", last)
    undisturbed = start("x3d_evaluate.py", evaluate_keys(many, small_onnx, tmp_path / "undisturbed"))
    expected, _ = finish(undisturbed)
    assert undisturbed.returncode == 0
    last.unlink()
    os.mkfifo(last)
    chance, before = random.Random(0), 0
    for _ in range(5):
        process = start("x3d_evaluate.py", evaluate_keys(many, small_onnx, out))
        wait_until(lambda: num_rows(out) > before)  # noqa: B023
        time.sleep(chance.uniform(0, 0.1))
        kill(process)
        before = num_rows(out)
    last.unlink()
    os.link(many.val / "class 1/4.mp4", last)
    process = start("x3d_evaluate.py", evaluate_keys(many, small_onnx, out))
    printed, errors = finish(process)
    assert process.returncode == 0
    assert re.search(r"201 videos of .*test\.csv, [1-9]\d* to do; ", errors)
    assert (rows(out).tobytes(), printed) == (rows(tmp_path / "undisturbed").tobytes(), expected)


@pytest.mark.parametrize("spoil", ["torn", "flipped"])
def test_a_torn_or_damaged_row_is_redone(spoil, data, small_onnx, undisturbed, tmp_path, caplog, capsys):
    assert x3d_evaluate.main(evaluate_keys(data, small_onnx, tmp_path / "eval")) == 0
    journal = tmp_path / "eval" / "manifest.rows"
    content = bytearray(journal.read_bytes())
    if spoil == "torn":
        content = content[:-11]
    else:
        content[70] ^= 1
    journal.write_bytes(content)
    assert x3d_evaluate.main(evaluate_keys(data, small_onnx, tmp_path / "eval")) == 0
    assert "1 row skipped, corrupt or of another evaluation" in caplog.text
    assert f"10 videos of {data.list_path}, 1 to do; " in caplog.text
    assert (rows(tmp_path / "eval").tobytes(), line_of(capsys)) == undisturbed


@pytest.mark.parametrize("num_shards", [1, 2, 5])
def test_shards_merge_into_the_same_line(num_shards, data, small_onnx, undisturbed, tmp_path, capsys):
    out = tmp_path / "eval"
    for shard_id in range(num_shards):
        shard = ["--shard_id", str(shard_id), "--num_shards", str(num_shards)]
        assert x3d_evaluate.main([*shard, *evaluate_keys(data, small_onnx, out)]) == 0
    assert rows(out).tobytes() == undisturbed[0]
    assert postprocess(out) == 0
    assert line_of(capsys) == undisturbed[1]


def test_rows_of_a_missing_duplicated_or_foreign_shard_are_rejected(data, small_onnx, tmp_path, caplog):
    out = tmp_path / "eval"
    for shard_id in range(3):
        assert (
            x3d_evaluate.main(["--shard_id", str(shard_id), "--num_shards", "3", *evaluate_keys(data, small_onnx, out)])
            == 0
        )
    manifest, journal = out / "manifest-2of3.json", out / "manifest-2of3.rows"
    kept, kept_rows = manifest.read_text(), journal.read_bytes()
    manifest.unlink()
    assert postprocess(out) == 2
    assert f"{manifest} does not exist; all 3 shards" in caplog.text
    manifest.write_text(kept)
    shutil.copy(out / "manifest-0of3.rows", journal)
    assert postprocess(out) == 2
    assert f"{journal} holds video 0, which belongs to shard 0" in caplog.text
    journal.write_bytes(kept_rows + kept_rows)
    assert postprocess(out) == 2
    assert f"{journal} holds video 2 twice" in caplog.text
    journal.write_bytes(kept_rows)
    other = Manifest.load(manifest)
    other.provenance["model_digest"] = "another"
    other.save()
    assert postprocess(out) == 2
    assert "another provenance than" in caplog.text
    manifest.write_text(kept)
    assert postprocess(out) == 0


def test_another_model_configuration_or_list_does_not_mix(data, small_onnx, model_for, tmp_path, caplog):
    assert x3d_evaluate.main(evaluate_keys(data, small_onnx, tmp_path / "eval")) == 0
    for more, difference in (
        (["DATA.ENSEMBLE_METHOD", "max"], "DATA.ENSEMBLE_METHOD was 'sum', is 'max'"),
        (["DATA.SAMPLING_RATE", "2"], "DATA.SAMPLING_RATE was 3, is 2"),
        (["X3D_EVALUATE.ENGINE", "onnxruntime"], "engine was 'openvino', is 'onnxruntime'"),
    ):
        assert x3d_evaluate.main(evaluate_keys(data, small_onnx, tmp_path / "eval", *more)) == 2
        assert difference in caplog.text
    assert x3d_evaluate.main(evaluate_keys(data, model_for("static", 8, ()), tmp_path / "eval")) == 2
    assert "model_digest was" in caplog.text
    assert postprocess(tmp_path / "eval", "DATA.ENSEMBLE_METHOD", "max") == 2
    assert "set DATA.ENSEMBLE_METHOD sum" in caplog.text


def test_a_failed_video_is_listed_and_never_scored_silently(data, small_onnx, tmp_path, caplog, capsys):
    spoilt = data.link(tmp_path / "data")
    spoilt.replace("class 1/4.mp4", b"")
    assert x3d_evaluate.main(evaluate_keys(spoilt, small_onnx, tmp_path / "eval")) == 1
    assert "1 video failed, empty" in caplog.text
    assert "video 4: " in caplog.text
    assert capsys.readouterr().out == ""
    allowed = evaluate_keys(spoilt, small_onnx, tmp_path / "eval", "X3D_POSTPROCESS.ALLOW_MISSING", "True")
    assert x3d_evaluate.main(allowed) == 1
    assert json.loads(line_of(capsys))["split"] == "test_final"
    details = json.loads((tmp_path / "eval_accuracy.json").read_text())
    assert (details["videos_scored"], details["videos_listed"], details["incomplete_videos"]) == (9, 10, [4])
    shutil.copy(data.val / "class 1/4.mp4", spoilt.val / "class 1/4.mp4")
    assert x3d_evaluate.main(evaluate_keys(spoilt, small_onnx, tmp_path / "eval")) == 0


def test_on_error_raise_stops_at_the_first_and_counts_what_was_not_reached(data, small_onnx, tmp_path, caplog, capsys):
    spoilt = data.link(tmp_path / "data")
    spoilt.replace("class 0/0.mp4", b"")
    stop = evaluate_keys(spoilt, small_onnx, tmp_path / "eval", "X3D_WORKERS.ON_ERROR", "raise")
    assert x3d_evaluate.main(stop) == 1
    assert "stopping at the first failure" in caplog.text
    assert "9 videos not reached" in caplog.text
    assert capsys.readouterr().out == ""


def test_a_row_counts_even_if_the_manifest_records_a_failure(data, small_onnx, tmp_path):
    assert x3d_evaluate.main(evaluate_keys(data, small_onnx, tmp_path / "eval")) == 0
    manifest = Manifest.load(tmp_path / "eval" / "manifest.json")
    manifest.record_failed(Video(4, "", "", 4), "empty", "before the kill")
    manifest.save()
    assert x3d_evaluate.main(evaluate_keys(data, small_onnx, tmp_path / "eval")) == 0
    assert Manifest.load(manifest.path).entries() == {}


def test_an_engine_that_does_not_start_ends_the_run(small_onnx):
    work = VideoScorer(
        str(small_onnx), read_model(str(small_onnx)).digest, "openvino", "NOSUCH", "f32", 1, 8, *[None] * 2, "sum"
    )
    with pytest.raises(RunError, match="device NOSUCH is none that OpenVINO has"), Workers(1, 60) as workers:
        list(workers.run(work, [Video(0, "", "", 0)]))


def test_a_batch_that_the_engine_rejects_is_an_engine_error(small_onnx):
    with pytest.raises(EngineError, match="engine openvino failed on CPU: "):
        infer_padded(open_engine(read_model(str(small_onnx))), np.zeros((1, 3, 1, 1, 1), dtype=np.float32))


def resident_kilobytes(process_id: int) -> int:
    """Read a running process's resident memory."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process_id}/status").read_text())
    assert found
    return int(found[1])


def test_the_drivers_memory_does_not_grow_with_the_videos(data, small_onnx, tmp_path):
    short, many = write_video(tmp_path / "short.mp4", 4, width=48, height=40), Dataset(tmp_path / "many")
    many.val.mkdir(parents=True)
    for number in range(500):
        os.link(short, many.val / f"{number}.mp4")
    os.mkfifo(many.val / "last.mp4")
    many.write_list([*[f"{number}.mp4" for number in range(500)], "last.mp4"])
    out = tmp_path / "eval"
    process = start("x3d_evaluate.py", evaluate_keys(many, small_onnx, out))
    wait_until(lambda: num_rows(out) > 0)
    at_first, num_first = resident_kilobytes(process.pid), num_rows(out)
    wait_until(lambda: num_rows(out) == 500)
    at_last = resident_kilobytes(process.pid)
    kill(process)
    assert num_first < 250
    assert at_last < 1.1 * at_first


def test_rows_of_unknown_origin_are_rejected(data, small_onnx, tmp_path, caplog):
    assert x3d_evaluate.main(evaluate_keys(data, small_onnx, tmp_path / "eval")) == 0
    (tmp_path / "eval" / "manifest.json").unlink()
    assert x3d_evaluate.main(evaluate_keys(data, small_onnx, tmp_path / "eval")) == 2
    assert "holds rows without manifest.json" in caplog.text


def test_the_accuracy_file_records_the_conditions_of_the_rows(data, small_onnx, tmp_path):
    assert x3d_evaluate.main(evaluate_keys(data, small_onnx, tmp_path / "eval", "DATA.SAMPLING_RATE", "2")) == 0
    assert postprocess(tmp_path / "eval", "DATA.PATH_TO_DATA_DIR", str(data.path)) == 0
    conditions = json.loads((tmp_path / "eval_accuracy.json").read_text())["conditions"]
    assert conditions["DATA.SAMPLING_RATE"] == 2
    assert (conditions["engine"], conditions["device"]) == ("openvino", "CPU")
    assert conditions["model_digest"] == read_model(str(small_onnx)).digest


@pytest.mark.parametrize(
    ("device", "held"),
    [
        ("CPU", {"CPU": 1}),
        ("CUDA", {"CPU": 1, "GPU": 0.25}),
        ("GPU", {"CPU": 1, "GPU": 0.25}),
        ("CANN", {"CPU": 1, "NPU": 0.25}),
        ("NPU", {"CPU": 1, "NPU": 0.25}),
    ],
)
def test_a_task_holds_a_core_and_its_share_of_the_engines_device(device, held):
    assert task_resources(device) == held


def test_a_row_is_written_whole_though_a_write_is_short(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
    with ScoreRows(tmp_path / "rows", ROW, 7) as journal:
        journal.append(Video(5, "", "", 1), video_scores(np.arange(9, dtype=np.float32), Source(1, 2, 3)))
    assert read_score_rows(tmp_path / "rows", ROW, 7)["scores"].tolist() == [list(range(9))]


def test_two_runs_do_not_write_one_folder_of_rows(data, small_onnx, tmp_path, caplog):
    (tmp_path / "eval").mkdir()
    with ScoreRows(tmp_path / "eval" / "manifest.rows", ROW, 0):
        assert x3d_evaluate.main(evaluate_keys(data, small_onnx, tmp_path / "eval")) == 2
    assert "manifest.rows is in use by another run, which is writing there: delete nothing, wait for it" in caplog.text


@pytest.mark.parametrize(
    ("more", "advice"),
    [
        (["X3D_EVALUATE.OUTPUT_PATH", ""], "X3D_EVALUATE.OUTPUT_PATH is empty"),
        (["X3D_EVALUATE.MODEL_PATH", ""], "X3D_EVALUATE.MODEL_PATH is empty; give the .onnx"),
        (["MODEL.NUM_CLASSES", "10"], "returns 9 classes; --cfg configures .* 10"),
        (["DATA.NUM_FRAMES", "5"], "takes views of .* --cfg configures"),
        (["X3D_EVALUATE.ENGINE", "ais_bench"], "ais_bench runs .om files"),
        (["X3D_PREPROCESS.BACKEND", "slowfast"], "needs files; set X3D_PREPROCESS.BACKEND native"),
        (["X3D_POSTPROCESS.BACKEND", "slowfast"], "needs files; set X3D_POSTPROCESS.BACKEND native"),
        (["X3D_WORKERS.RAY_ADDRESS", "auto", "X3D_EVALUATE.DEVICE", "1"], "DEVICE 1: Ray chooses among a node's"),
        (["X3D_WORKERS.RAY_ADDRESS", "auto", "X3D_EVALUATE.DEVICE", "0,1"], "DEVICE 0,1: Ray chooses among a node's"),
        (["X3D_EVALUATE.DEVICE", "0,0"], "devices 0,0: different ones of one kind are expected"),
        (["X3D_EVALUATE.ENGINE", "onnxruntime", "X3D_EVALUATE.DEVICE", "cuda:0"], "has no CUDAExecutionProvider"),
    ],
)
def test_wrong_usage_starts_nothing(more, advice, data, small_onnx, tmp_path, caplog):
    assert x3d_evaluate.main(evaluate_keys(data, small_onnx, tmp_path / "eval", *more)) == 2
    assert re.search(advice, caplog.text)
    assert not (tmp_path / "eval").exists()
