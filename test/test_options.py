import re

import pytest

import x3d_evaluate
import x3d_infer
import x3d_postprocess
import x3d_preprocess
import x3d_pth2onnx
import x3d_report
import x3d_verify


@pytest.mark.parametrize(
    ("script", "argv", "advice"),
    [
        (
            x3d_evaluate,
            ["--output", "e1"],
            "--output; in this script it is a key, write X3D_EVALUATE.OUTPUT_PATH VALUE",
        ),
        (x3d_evaluate, ["--model=m.onnx"], "--model=m.onnx; .* write X3D_EVALUATE.MODEL_PATH m.onnx"),
        (x3d_preprocess, ["--output=p"], "write X3D_PREPROCESS.DATA_OUTPUT_PATH p"),
        (x3d_pth2onnx, ["--output=m.onnx"], "write X3D_PTH2ONNX.ONNX_OUTPUT_PATH m.onnx"),
        (x3d_postprocess, ["--results=r"], "write X3D_POSTPROCESS.OM_OUTPUT_PATH r"),
        (x3d_postprocess, ["--output=r"], "--output=r; --help lists the options and keys"),
        (x3d_evaluate, ["--DATA.PATH_PREFIX", "x"], "keys have no dashes, write DATA.PATH_PREFIX VALUE"),
        (x3d_evaluate, ["--DATA.PATH_PREFIX=x"], "keys have no dashes, write DATA.PATH_PREFIX x"),
        (x3d_verify, ["--TRAIN.ENABLE=x"], "keys have no dashes, write TRAIN.ENABLE x"),
        (x3d_report, ["--reslts", "mine", "--output", "r"], "--reslts; the nearest option is --results"),
        (x3d_infer, ["--ouput", "mine"], "--ouput; the nearest option is --output"),
        (x3d_infer, ["--zzz"], "--zzz; --help lists the options$"),
    ],
)
def test_an_unknown_option_is_named_with_what_to_write(script, argv, advice, capsys):
    with pytest.raises(SystemExit) as ended:
        script.main(argv)
    assert ended.value.code == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert re.search(f"error: unrecognized arguments: .*{advice}", line)


@pytest.mark.parametrize("argv", [["--help"], ["-h", "--zzz"]])
def test_help_is_shown_whatever_else_is_given(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        x3d_report.main(argv)
    assert ended.value.code == 0
    assert "--results DIR" in capsys.readouterr().out


@pytest.mark.parametrize("argv", [["--res", "none", "--out", "r"], ["--results=none", "--output", "r"]])
def test_abbreviated_options_are_known(argv, tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    assert x3d_report.main(argv) == 2
    assert "none does not exist" in caplog.text
