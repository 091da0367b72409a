"""The flags of x3d_infer.py; the run has a stand-in."""

import dataclasses
import sys
from pathlib import Path

import pytest

import x3d_infer
from test.test_script_calls import Recorder
from x3d.pipeline.infer import InferSettings
from x3d.storage.ais_bench_summary import Summary


@pytest.fixture
def inferred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Recorder:
    """Records the settings; the current folder is an empty one with a folder `out`."""
    run = Recorder(Summary(4))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    monkeypatch.setattr("x3d.pipeline.infer.infer", run)
    return run


def test_infer_runs_by_the_defaults(inferred, capsys, tmp_path):
    assert x3d_infer.main(["--model", "x.onnx"]) == 0
    assert inferred.calls == [(InferSettings("x.onnx", args=sys.argv),)]
    printed = capsys.readouterr().out
    assert printed.splitlines()[1].startswith("[INFO] NPU_compute_time (ms): min = ")
    assert list(tmp_path.iterdir()) == [tmp_path / "out"]


@pytest.mark.parametrize("dashes", [False, True])
def test_infer_passes_every_flag_in_either_spelling(dashes, inferred, tmp_path, capsys):
    flags = {
        "--model": "x.onnx",
        "--input": "views",
        "--output": str(tmp_path),
        "--output_dirname": "res",
        "--outfmt": "TXT",
        "--batchsize": "8",
        "--loop": "3",
        "--warmup_count": "0",
        "--pure_data_type": "random",
        "--device": "cuda:0",
        "--engine": "onnxruntime",
        "--precision": "f16",
        "--display_all_summary": "true",
    }
    given = [flag[:2] + flag[2:].replace("_", "-") if dashes else flag for flag in flags]
    assert x3d_infer.main([word for pair in zip(given, flags.values(), strict=True) for word in pair]) == 0
    folder = tmp_path / "res"
    how = "TXT", 8, 3, 0, "random", "onnxruntime", "cuda:0", "f16"
    assert inferred.calls == [(InferSettings("x.onnx", "views", folder, *how, sys.argv),)]
    assert "H2D_latency" in capsys.readouterr().out


def test_infer_has_ais_benchs_short_flags(inferred):
    assert x3d_infer.main("-m x.onnx -i views -o out -l 2 -d 1".split()) == 0
    [(settings,)] = inferred.calls
    assert settings.folder.parent == Path("out")
    assert dataclasses.replace(settings, folder=None) == InferSettings(
        "x.onnx", "views", loop=2, device="1", args=sys.argv
    )


def test_infer_names_a_result_folder_by_date_and_time(inferred, monkeypatch):
    monkeypatch.setattr(x3d_infer.time, "strftime", lambda form: form)
    assert x3d_infer.main(["--model", "x.onnx", "--output", "out"]) == 0
    assert inferred.calls[0][0].folder == Path("out/%Y_%m_%d-%H_%M_%S")


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ("--loop 1 --batchsize 1 --warmup_count 0", 0),
        ("--loop 0", 2),
        ("--batchsize 0", 2),
        ("--warmup_count -1", 2),
        ("--output_dirname res", 2),
    ],
)
def test_infer_takes_at_least_one_batch_of_one_view(flags, status, inferred, caplog):
    assert x3d_infer.main(["--model", "x.onnx", *flags.split()]) == status
    assert len(inferred.calls) == (status == 0)
    if status:
        assert "at least 1" in caplog.text or "give --output too" in caplog.text


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "--model x.onnx --outfmt PNG",
        "--model x.onnx --engine tensorrt",
        "--model x.onnx --pure_data_type one",
        "--model x.onnx --precision int8",
    ],
)
def test_infer_needs_a_model_and_known_choices(flags, inferred, capsys):
    with pytest.raises(SystemExit) as ended:
        x3d_infer.main(flags.split())
    assert (ended.value.code, inferred.calls) == (2, [])
    assert "--model" in capsys.readouterr().err


@pytest.mark.parametrize("choice", ["auto", "openvino", "onnxruntime"])
def test_infer_offers_its_engines(choice, inferred):
    assert x3d_infer.main(["--model", "x.onnx", "--engine", choice, "--pure_data_type", "zero"]) == 0
    assert inferred.calls[0][0].engine == choice


@pytest.mark.parametrize("choice", ["f32", "bf16", "f16", "tf32"])
def test_infer_offers_its_precisions(choice, inferred):
    assert x3d_infer.main(["--model", "x.onnx", "--precision", choice]) == 0
    assert inferred.calls[0][0].precision == choice


@pytest.mark.parametrize("outfmt", ["BIN", "NPY", "TXT"])
def test_infer_offers_its_formats(outfmt, inferred):
    assert x3d_infer.main(["--model", "x.onnx", "--outfmt", outfmt]) == 0
    assert inferred.calls[0][0].outfmt == outfmt


@pytest.mark.parametrize("text", ["true", "True", "1", "yes", "t", "y", "false", "FALSE", "0", "no", "f", "n"])
def test_infer_reads_truth_as_ais_bench_does(text, inferred, capsys):
    assert x3d_infer.main(["--model", "x.onnx", "--display_all_summary", text]) == 0
    assert ("H2D_latency" in capsys.readouterr().out) == (text.lower() in ("true", "1", "yes", "t", "y"))


def test_infer_refuses_another_truth(inferred, capsys):
    with pytest.raises(SystemExit):
        x3d_infer.main(["--model", "x.onnx", "--display_all_summary", "maybe"])
    assert "true or false expected, got 'maybe'" in capsys.readouterr().err


@pytest.mark.parametrize("name", [".", "..", "a/b", "/a", "x" * 224, "ż" * 112])
def test_infer_refuses_what_is_no_name_of_a_folder(name, inferred, caplog):
    assert x3d_infer.main(["--model", "x.onnx", "--output", "out", "--output_dirname", name]) == 2
    assert "give the name of a folder, of at most 223 bytes and without /" in caplog.text
    assert inferred.calls == []


def test_infer_refuses_an_empty_input(inferred, caplog):
    assert x3d_infer.main(["--model", "x.onnx", "--input", "", "--output", "out"]) == 2
    assert "--input is empty; give the folder of views" in caplog.text
    assert inferred.calls == []
