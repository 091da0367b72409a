"""What each script passes to its pipeline function, and what it reports of the value; the pipeline has stand-ins."""

import logging
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import x3d_compare
import x3d_evaluate
import x3d_infer
import x3d_list
import x3d_postprocess
import x3d_predict
import x3d_preprocess
import x3d_pth2onnx
import x3d_verify
from test.helpers import ROOT, SMALL
from test.tables import score_table
from x3d.config.loading import load_cfg
from x3d.dataset.naming import Shard
from x3d.network import EXPORT_FORMAT
from x3d.network.export import Difference
from x3d.pipeline.export import ExportResult
from x3d.pipeline.summary import RunSummary
from x3d.pipeline.verify import Verification
from x3d.scoring import Accuracy, measure_accuracy

CONFIGURED = (
    *(x3d_compare, x3d_evaluate, x3d_list, x3d_postprocess, x3d_predict),
    *(x3d_preprocess, x3d_pth2onnx, x3d_verify),
)


@pytest.fixture(autouse=True)
def _logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.fixture
def listed(tmp_path: Path) -> list[str]:
    """Keys that name a list of two videos."""
    (tmp_path / "test.csv").write_text("a.mp4 0\nb.mp4 1\n")
    (tmp_path / "a.mp4").touch()
    return [*SMALL, "DATA.PATH_TO_DATA_DIR", str(tmp_path), "DATA.PATH_PREFIX", str(tmp_path)]


def summary(num_done: int = 2) -> RunSummary:
    return RunSummary(2, num_done, [], Path("manifest.json"))


def accuracy(num_missing: int = 0) -> Accuracy:
    scores = np.eye(2, 9, dtype=np.float32)
    missing = {2 + number: f"video {2 + number}" for number in range(num_missing)}
    table = score_table(scores, range(2), missing, folder="out")
    return measure_accuracy(table, allow_missing=True)


@pytest.mark.parametrize("script", CONFIGURED)
def test_the_help_lists_the_keys_that_a_script_reads(script: ModuleType, capsys):
    cfg = load_cfg(str(ROOT / "configs/X3D_S.yaml"))
    for name in script.READS:
        section, _, key = name.partition(".")
        assert section in cfg, name
        assert not key or key in cfg[section], name
    with pytest.raises(SystemExit) as ended:
        script.main(["--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert (script.__doc__ or "no text").splitlines()[0] in printed
    missing = [name for name in script.READS if name not in printed]
    assert missing == []


@pytest.mark.parametrize("script", [*CONFIGURED, x3d_infer])
def test_a_script_runs_as_a_file(script: ModuleType):
    command = [sys.executable, str(ROOT / f"{script.__name__}.py"), "--help"]
    ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert ran.stdout.startswith(f"usage: {script.__name__}.py")


@pytest.mark.parametrize("script", [x3d_preprocess, x3d_pth2onnx, x3d_postprocess])
def test_a_disabled_script_says_so_and_stops(script, caplog):
    node = script.__name__.upper()
    assert script.main([f"{node}.ENABLE", "False"]) == 0
    assert f"{node}.ENABLE is False" in caplog.text


class Recorder:
    """Records what it is called with, and returns a value."""

    def __init__(self, value: Any) -> None:
        self.value, self.calls = value, []  # type: ignore[var-annotated]

    def __call__(self, *given: Any) -> Any:
        self.calls.append(given)
        return self.value


@pytest.mark.parametrize(("num_done", "status"), [(2, 0), (1, 1)])
@pytest.mark.parametrize(("flags", "shard"), [([], Shard(0, 1)), (["--shard_id=1", "--num_shards=2"], Shard(1, 2))])
def test_preprocess_reports_the_run_of_a_shard(num_done, status, flags, shard, listed, monkeypatch, caplog):
    run = Recorder(summary(num_done))
    monkeypatch.setattr("x3d.pipeline.preprocess.preprocess", run)
    assert x3d_preprocess.main([*flags, *listed, "X3D_PREPROCESS.DATA_OUTPUT_PATH", "out"]) == status
    [(settings, found)] = run.calls
    assert (settings.output_path, found) == ("out", shard)
    assert f"{num_done} of 2 videos done; manifest: manifest.json" in caplog.text


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> tuple[Recorder, Recorder]:
    run, score = Recorder(summary()), Recorder(accuracy())
    monkeypatch.setattr("x3d.pipeline.evaluate.evaluate", run)
    monkeypatch.setattr("x3d.pipeline.postprocess.score_folder", score)
    return run, score


def evaluate_keys(listed: list[str], tmp_path: Path) -> list[str]:
    return [*listed, "X3D_EVALUATE.MODEL_PATH", "x.onnx", "X3D_EVALUATE.OUTPUT_PATH", str(tmp_path / "out")]


@pytest.mark.parametrize(("num_done", "num_missing", "status"), [(2, 0, 0), (1, 0, 1), (2, 1, 1), (1, 1, 1)])
def test_evaluate_scores_the_whole_list(num_done, num_missing, status, evaluated, listed, tmp_path, capsys):
    run, score = evaluated
    run.value, score.value = summary(num_done), accuracy(num_missing)
    assert x3d_evaluate.main([*evaluate_keys(listed, tmp_path), "X3D_POSTPROCESS.ALLOW_MISSING", "True"]) == status
    [(settings, shard)] = run.calls
    assert (settings.model_path, shard) == ("x.onnx", Shard(0, 1))
    [(folder, scoring)] = score.calls
    assert (folder, scoring.allow_missing, scoring.listed.labels) == (str(tmp_path / "out"), True, [0, 1])
    assert capsys.readouterr().out == '{"split": "test_final", "top1_acc": "100.00", "top5_acc": "100.00"}\n'
    assert (tmp_path / "out_accuracy.json").exists()


def test_evaluate_scores_with_the_list_it_read_at_the_start(evaluated, listed, tmp_path, monkeypatch):
    def edit(settings, shard):
        Path(listed[listed.index("DATA.PATH_TO_DATA_DIR") + 1], "test.csv").write_text("no list")
        return summary()

    monkeypatch.setattr("x3d.pipeline.evaluate.evaluate", edit)
    assert x3d_evaluate.main(evaluate_keys(listed, tmp_path)) == 0
    [(_, scoring)] = evaluated[1].calls
    assert scoring.listed.labels == [0, 1]


@pytest.mark.parametrize(("num_done", "status"), [(2, 0), (1, 1)])
def test_evaluate_leaves_the_scoring_of_shards_to_postprocess(
    num_done, status, evaluated, listed, tmp_path, capsys, caplog
):
    run, score = evaluated
    run.value = summary(num_done)
    assert x3d_evaluate.main(["--shard_id=1", "--num_shards=2", *evaluate_keys(listed, tmp_path)]) == status
    assert run.calls[0][1] == Shard(1, 2)
    assert (score.calls, capsys.readouterr().out) == ([], "")
    assert "x3d_postprocess.py scores the folder of all 2 shards" in caplog.text


@pytest.mark.parametrize(("num_missing", "status"), [(0, 0), (1, 1)])
def test_postprocess_reports_the_accuracy_of_its_folder(num_missing, status, tmp_path, monkeypatch, capsys):
    score = Recorder(accuracy(num_missing))
    monkeypatch.setattr("x3d.pipeline.postprocess.score_folder", score)
    folder = str(tmp_path / "res")
    assert x3d_postprocess.main([*SMALL, "X3D_POSTPROCESS.OM_OUTPUT_PATH", folder]) == status
    [(found, settings)] = score.calls
    assert (found, settings.num_classes) == (folder, 9)
    assert '"top1_acc": "100.00"' in capsys.readouterr().out
    assert (tmp_path / "res_accuracy.json").exists()


@pytest.mark.parametrize(("largest", "batch", "status"), [(1e-6, 0, 0), (1e-6, 4, 0), (1e-4, 0, 1)])
def test_pth2onnx_reports_the_file_or_that_there_is_none(largest, batch, status, monkeypatch, caplog):
    export = Recorder(ExportResult("x.onnx", 10, [Difference("openvino", 1, largest)], 1e-5))
    monkeypatch.setattr("x3d.pipeline.export.export_checkpoint", export)
    keys = ["TEST.CHECKPOINT_FILE_PATH", "x.pyth", "X3D_PTH2ONNX.ONNX_OUTPUT_PATH", "x.onnx"]
    assert x3d_pth2onnx.main([*SMALL, *keys, "X3D_PTH2ONNX.BATCH_SIZE", str(batch)]) == status
    [(settings,)] = export.calls
    assert (settings.checkpoint, settings.batch_size) == ("x.pyth", batch)
    texts = [
        f"x.onnx: format {EXPORT_FORMAT}, opset 11, ",
        "x.onnx differs from x.pyth by more than X3D_PTH2ONNX.TOLERANCE 1.00e-05",
    ]
    assert [text in caplog.text for text in texts] == [status == 0, status == 1]
    if status == 0:
        assert f"{f'batch size {batch}' if batch else 'dynamic batch size'}, input (N, 3, 4, 40, 40)" in caplog.text


@pytest.mark.parametrize(("num_videos", "problems", "status"), [({"": 2}, [], 0), ({"": 1, "empty": 1}, ["line 3"], 1)])
def test_verify_reports_what_is_wrong(num_videos, problems, status, listed, tmp_path, monkeypatch, caplog):
    (tmp_path / "test.csv").write_text("a.mp4 0\nb.mp4 1\n" + "no label\n" * len(problems))
    check = Recorder(Verification(num_videos, problems, ["more\n.mp4"]))
    monkeypatch.setattr("x3d.pipeline.verify.verify", check)
    assert x3d_verify.main(listed) == status
    [(settings, report)] = check.calls
    assert (len(settings.videos), report) == (2, Path("verify.csv"))
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    if problems:
        assert errors[0].startswith(f"{tmp_path / 'test.csv'} has bad lines:\n1 line: no label")
        assert errors[1:] == ["1 video failed, empty: the file has no bytes"]
    else:
        assert errors == []
    [warning] = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.endswith("\nmore\\n.mp4")
    num_bad = len(problems)
    counts = f"{2 - num_bad} of 2 videos good; {'1 bad row' if num_bad else '0 bad rows'} in the list"
    assert f"{counts}; table: verify.csv" in caplog.text
