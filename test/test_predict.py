"""x3d_predict.py: the scores of an evaluation with names, warnings, failures and segments."""

import csv
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

import x3d_evaluate
import x3d_predict
import x3d_pth2onnx
from demo.make_videos import make_videos
from demo.scenes import CLASSES
from test.helpers import ROOT, SMALL, Dataset, evaluate_keys, finish, start, with_keys
from test.local_runner import LocalRunner
from test.videos import concatenate, rotate, write_video
from x3d.config.loading import load_cfg
from x3d.dataset.input_videos import find_input_videos
from x3d.errors import RunError
from x3d.pipeline.postprocess import ScoringSettings, read_table
from x3d.pipeline.predict import PredictSettings, predict, predict_each
from x3d.video.reader import VideoReader

CFG = str(ROOT / "configs/X3D_S.yaml")
DEMO = str(ROOT / "configs/X3D_DEMO.yaml")
NAMES = [f"name {label}" for label in range(9)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    videos = {f"class {n}/{n}.mp4": {"num_frames": 40 + 17 * n, "width": 64 + 8 * n} for n in range(4)}
    return Dataset(tmp_path_factory.mktemp("data")).write_videos(videos)


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("".join(f"{name}\n" for name in NAMES))
    return path


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> LocalRunner:
    """Predict in this process."""
    return LocalRunner().use_in("scorers", monkeypatch)


def settings(videos: str, model: Path, *keys: str, num_best: int = 5, step_seconds: float = 0) -> PredictSettings:
    cfg = load_cfg(CFG, [*SMALL, *keys])
    return PredictSettings.from_cfg(cfg, find_input_videos(videos), str(model), "", num_best, step_seconds)


def script(model: Path, videos: object, *more: str) -> int:
    return x3d_predict.main(["--cfg", CFG, "--model", str(model), "--input", str(videos), *more, *SMALL])


@pytest.mark.parametrize("method", ["sum", "max"])
@pytest.mark.parametrize("batch_size", [0, 4], ids=["dynamic", "static"])
def test_the_scores_are_those_of_an_evaluation_exactly(method, batch_size, data, small_checkpoint, tmp_path):
    model = tmp_path / "x.onnx"
    export = ["TEST.CHECKPOINT_FILE_PATH", str(small_checkpoint), "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", str(model)]
    assert x3d_pth2onnx.main([*SMALL, *export, "X3D_PTH2ONNX.BATCH_SIZE", str(batch_size)]) == 0
    keys = evaluate_keys(data, model, tmp_path / "out", "DATA.ENSEMBLE_METHOD", method)
    assert x3d_evaluate.main(keys) == 0
    table = read_table(str(tmp_path / "out"), ScoringSettings.from_cfg(load_cfg(CFG, keys)))
    found = predict(settings(str(data.val), model, "DATA.ENSEMBLE_METHOD", method, num_best=9))
    assert [prediction.path for prediction in found] == [str(data.val / path) for path in table.listed_paths]
    for row, prediction in enumerate(found):
        [segment] = prediction.segments
        order = np.argsort(-table.scores[row], kind="stable").tolist()
        assert [each.label for each in segment.classes] == order
        assert [each.probability for each in segment.classes] == table.probabilities[row][order].tolist()
        counts = np.bincount(table.view_classes[row], minlength=9)
        assert [each.num_agreeing for each in segment.classes] == counts[order].tolist()
        assert segment.num_views == 30


def test_a_table_per_video_is_printed_in_order_with_names(data, small_onnx, names, local, capsys, caplog):
    local.in_reverse = True
    assert script(small_onnx, data.val, "--names", str(names), "--top", "2") == 0
    blocks = capsys.readouterr().out.rstrip("\n").split("\n\n")
    assert [block.splitlines()[0].partition(" (")[0] for block in blocks] == [
        str(data.val / f"class {n}/{n}.mp4") for n in range(4)
    ]
    for block in blocks:
        first, second = block.splitlines()[1:]
        assert first.split("%")[0].split()[0] == second.split("%")[0].split()[0] == "name"
        assert "of 30 views" in first
    assert local.function.names.source == str(names)


def test_names_are_those_of_the_configuration_or_numbers(data, small_onnx, names, local, capsys, caplog):
    video = data.val / "class 0/0.mp4"
    assert script(small_onnx, video, "DATA.CLASS_NAMES", str(names)) == 0
    assert "  name " in capsys.readouterr().out
    assert "--names" not in caplog.text
    assert script(small_onnx, video) == 0
    assert "  class " in capsys.readouterr().out
    assert "the names of the 9 classes are not known; give them with --names" in caplog.text


def test_a_failed_video_is_listed_and_the_others_are_predicted(data, small_onnx, tmp_path):
    videos = tmp_path / "videos"
    shutil.copytree(data.val, videos)
    (videos / "class 1" / "1.mp4").write_bytes(b"")
    (videos / "class 2" / "2.mp4").write_bytes(b"no video" * 100)
    output = tmp_path / "out.json"
    keys = ["--cfg", CFG, "--model", str(small_onnx), *SMALL]
    process = start("x3d_predict.py", ["--input", str(videos), "--output", str(output), *keys])
    out, err = finish(process)
    assert process.returncode == 1
    assert [line.partition(" (")[0] for line in out.splitlines() if line.startswith("/")] == [
        str(videos / f"class {n}/{n}.mp4") for n in (0, 3)
    ]
    assert "1 video failed, empty: the file has no bytes" in err
    assert "1 video failed, not_a_video" in err
    assert "2 of 4 videos done" in err
    assert "Traceback" not in err
    content = json.loads(output.read_text())
    assert [found["reason"] for found in content["failed"]] == ["empty", "not_a_video"]
    assert len(content["videos"]) == 2


def test_unusual_videos_are_predicted_with_a_warning(small_onnx, tmp_path, local, names, monkeypatch, caplog):
    write_video(tmp_path / "a-short.mp4", 11)
    write_video(tmp_path / "b-slow.mp4", 40, rate=8)
    rotate(write_video(tmp_path / "c-turned.mp4", 40))
    write_video(tmp_path / "d-damaged.mp4", 40)
    num_corrupt = property(lambda reader: 2 * ("d-damaged" in reader.path), lambda reader, number: None)
    monkeypatch.setattr(VideoReader, "num_corrupt_frames", num_corrupt, raising=False)
    write_video(tmp_path / "e-usual.mp4", 12, rate=10)
    write_video(tmp_path / "f-long-enough.mp4", 12)
    write_video(tmp_path / "g-long.mp4", 200, rate=5)
    assert script(small_onnx, tmp_path, "--names", str(names)) == 0
    warned = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    short, slow, turned, damaged, long, long_and_slow = warned
    assert long == f"{tmp_path}/g-long.mp4: 40 s, scored by 10 clips spread over it; --every names its parts"
    assert long_and_slow.startswith(f"{tmp_path}/g-long.mp4: 5 frames per second, under 10")
    assert short == f"{tmp_path}/a-short.mp4: 11 frames, 0.37 s, shorter than a clip of 0.40 s; its frames repeat"
    assert slow == f"{tmp_path}/b-slow.mp4: 8 frames per second, under 10; the network does not see fast motion"
    assert turned.startswith(f"{tmp_path}/c-turned.mp4: rotation metadata of")
    assert turned.endswith("90 degrees, which is not applied, as in an evaluation")
    marked = "2 frames that the decoder marked as damaged; they are used, as in an evaluation"
    assert damaged == f"{tmp_path}/d-damaged.mp4: {marked}"


def test_a_model_that_returns_logits_stops_the_run_with_the_key(data, small_onnx, tmp_path, local, caplog, capsys):
    logits = onnx.load(small_onnx)
    [last] = [node for node in logits.graph.node if node.op_type == "Softmax"]
    last.op_type = "Identity"
    del last.attribute[:], logits.metadata_props[:]
    onnx.save(logits, tmp_path / "logits.onnx")
    video = data.val / "class 0/0.mp4"
    assert script(tmp_path / "logits.onnx", video) == 1
    assert "set X3D_POSTPROCESS.SOFTMAX True" in caplog.text
    assert capsys.readouterr().out == ""
    assert script(tmp_path / "logits.onnx", video, "X3D_POSTPROCESS.SOFTMAX", "True") == 0
    with_softmax = capsys.readouterr().out
    assert script(small_onnx, video) == 0
    assert capsys.readouterr().out.splitlines()[1][:10] == with_softmax.splitlines()[1][:10]


@pytest.mark.parametrize(("factor", "is_uniform"), [(0.0, True), (1.0, False)])
def test_a_model_that_ignores_its_input_is_noticed(factor, is_uniform, data, small_onnx, tmp_path, local, caplog):
    model = onnx.load(small_onnx)
    [last] = [node for node in model.graph.node if node.op_type == "Softmax"]
    values = np.arange(9, dtype=np.float32) * np.float32(factor)
    model.graph.initializer.append(onnx.numpy_helper.from_array(values, "values"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(1, np.float32), "nothing"))
    place = list(model.graph.node).index(last)
    model.graph.node.insert(place, onnx.helper.make_node("Mul", [last.input[0], "nothing"], ["zeros"]))
    model.graph.node.insert(place + 1, onnx.helper.make_node("Add", ["zeros", "values"], ["alike"]))
    last.input[0] = "alike"
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "x.onnx")
    assert script(tmp_path / "x.onnx", data.val) == 0
    assert "all 4 videos have exactly the same scores: unless they are copies, the model ignores" in caplog.text
    assert ("all classes have the same score" in caplog.text) == is_uniform
    caplog.clear()
    assert script(small_onnx, data.val) == 0
    assert "the model ignores" not in caplog.text


def test_the_output_is_written_where_stdout_ends(data, small_onnx, tmp_path, local, monkeypatch, caplog):
    """As behind `| head`: what was computed for hours is not lost."""

    def fail(text: str) -> None:
        raise RunError("the result cannot be printed to stdout: Broken pipe")

    monkeypatch.setattr("x3d.console.print_result", fail)
    output = tmp_path / "out.json"
    assert script(small_onnx, data.val, "--output", str(output)) == 1
    assert caplog.text.count("Broken pipe; ") == 1
    assert len(json.loads(output.read_text())["videos"]) == 4
    assert local.seen == [[0, 1, 2, 3]]
    assert script(small_onnx, data.val) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--every", "0"], "--every 0 is no length of time; give a number of seconds above 0"),
        (["--every", "nan"], "--every nan is no length of time"),
        (["--every", "inf"], "--every inf is no length of time"),
        (["--top", "0"], "--top 0 leaves no class; give a number of at least 1"),
        (["--input", "none.mp4"], "--input none.mp4 does not exist"),
        (["--model", "none.onnx"], "none.onnx"),
        (["--names", "none.txt"], "--names none.txt does not exist; give a file with a name per line"),
        (
            ["--names", str(ROOT / "x3d/dataset/kinetics400_names.txt")],
            "names.txt has 400 lines and MODEL.NUM_CLASSES is",
        ),
        (["--output", "out.xlsx"], "--output out.xlsx has the suffix .xlsx; give .csv or .json"),
        (["DATA.NUM_FRAMES", "5"], "takes views of"),
        (["X3D_PREPROCESS.BACKEND", "slowfast"], "set X3D_PREPROCESS.BACKEND native"),
    ],
)
def test_wrong_input_starts_nothing(more, message, data, small_onnx, local, tmp_path, monkeypatch, caplog, capsys):
    monkeypatch.chdir(tmp_path)
    keys = [*SMALL, *more] if more[0].startswith("--") else with_keys(SMALL, *more)
    assert x3d_predict.main(["--cfg", CFG, "--model", str(small_onnx), "--input", str(data.val), *keys]) == 2
    assert message in caplog.text
    assert (local.seen, capsys.readouterr().out, list(tmp_path.iterdir())) == ([], "", [])


def test_no_more_workers_than_videos_start_and_large_files_get_more_time(data, small_onnx, local, tmp_path):
    paths = [data.val / "class 0/0.mp4", data.val / "class 1/1.mp4"]
    large = tmp_path / "large.mp4"
    large.write_bytes(paths[0].read_bytes() + bytes((3 << 20) - paths[0].stat().st_size))
    for videos, num_workers, seconds in ((paths, 2, 120), ([large], 1, 360)):
        keys = ["X3D_WORKERS.NUM", "5"]
        chosen = settings(",".join(map(str, videos)), small_onnx, *keys)
        next(predict_each(chosen))
        opened = local.opened_with[0]
        assert (opened.num_workers, opened.timeout_seconds) == (num_workers, seconds)
        requirements = local.opened_with[1]()
        assert (requirements.model_path, requirements.model_digest) == (
            str(small_onnx),
            local.function.scorer.model_digest,
        )
        assert [path for path, _ in requirements.sources] == [str(path) for path in videos]
        assert local.opened_with[2] == {"CPU": 1.0}


def test_every_stop_at_the_first_failure_is_incomplete(data, small_onnx, tmp_path, local, caplog):
    shutil.copytree(data.val, tmp_path / "videos")
    (tmp_path / "videos" / "class 1" / "1.mp4").write_bytes(b"")
    assert script(small_onnx, tmp_path / "videos", "X3D_WORKERS.ON_ERROR", "raise") == 1
    assert "1 of 4 videos done" in caplog.text


def test_steps_of_one_class_are_one_segment_with_all_their_views(small_onnx, tmp_path, local):
    video = write_video(tmp_path / "a.mp4", 240)
    [found] = predict(settings(str(video), small_onnx, step_seconds=2))
    assert [segment.start_seconds for segment in found.segments] == [
        0.0,
        *[segment.end_seconds for segment in found.segments[:-1]],
    ]
    assert found.segments[-1].end_seconds == pytest.approx(8, abs=0.01)
    labels = [segment.best.label for segment in found.segments]
    assert all(first != second for first, second in itertools.pairwise(labels))
    assert sum(segment.num_views for segment in found.segments) == 4 * 2 * 3
    assert all(0 <= segment.best.num_agreeing <= segment.num_views for segment in found.segments)
    assert all(len(segment.classes) == 1 for segment in found.segments)


def test_a_step_of_ten_seconds_has_as_many_clips_as_an_evaluation(small_onnx, tmp_path, local):
    video = write_video(tmp_path / "a.mp4", 240)
    [whole] = predict(settings(str(video), small_onnx))
    [sliding] = predict(settings(str(video), small_onnx, step_seconds=10))
    assert sliding.segments[0].best.label == whole.segments[0].best.label
    assert sliding.segments[0].best.probability == pytest.approx(whole.segments[0].best.probability, abs=0.05)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo's model, six of its clips, and their names."""
    folder = tmp_path_factory.mktemp("demo")
    make_videos(str(folder), 6, seed=4)
    checkpoint = ["TEST.CHECKPOINT_FILE_PATH", str(ROOT / "demo/x3d_demo.pyth")]
    assert x3d_pth2onnx.main(["--cfg", DEMO, *checkpoint, "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", str(folder / "x.onnx")]) == 0
    return folder


def predict_demo(demo: Path, videos: Path, output: Path, *more: str) -> list[dict[str, str]]:
    options = ["--model", str(demo / "x.onnx"), "--names", str(demo / "classes.txt"), "--output", str(output)]
    assert x3d_predict.main(["--cfg", DEMO, *options, "--input", str(videos), *more]) == 0
    return list(csv.DictReader(output.read_text().splitlines()))


def test_the_demos_clips_are_named(demo, tmp_path, capsys):
    rows = predict_demo(demo, demo / "val", tmp_path / "out.csv", "--top", "1")
    assert len(rows) == 6
    assert [row["name"] for row in rows] == [Path(row["path"]).parent.name for row in rows]
    assert {row["name"] for row in rows} <= set(CLASSES)
    assert [row["num_views"] for row in rows] == ["30"] * 6
    printed = capsys.readouterr().out
    assert all(f"  {row['name']}  " in printed for row in rows)


@pytest.fixture(scope="module")
def minute(demo: Path) -> Path:
    """The six clips of the demo one after the other, as one video."""
    return concatenate(sorted((demo / "val").rglob("*.mp4")), demo / "minute.mp4")


@pytest.mark.parametrize(("every", "num_views"), [("0.5", 360), ("2", 180), ("3", 180)])
def test_a_minute_of_six_clips_gives_the_six_segments(every, num_views, demo, minute, tmp_path, capsys):
    clips = sorted((demo / "val").rglob("*.mp4"))
    rows = predict_demo(demo, minute, tmp_path / "out.csv", "--every", every)
    assert [row["name"] for row in rows] == [clip.parent.name for clip in clips]
    for number, row in enumerate(rows):
        assert float(row["start_seconds"]) == pytest.approx(10 * number, abs=float(every))
        assert float(row["end_seconds"]) == pytest.approx(10 * number + 10, abs=float(every))
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == f"{minute} (60.0 s, {num_views} views)"
    assert len(lines) == 6
    assert lines[0].startswith("  0:00.0 to 0:")
