"""A smoke run of the benchmark of precisions: evaluate in each, and compare with f32, by the scripts."""

import json

import pytest

from benchmarks import agreement, inference_tables, precision
from test.test_precision import capabilities
from x3d.errors import EngineError, PrecisionError


def test_each_native_precision_is_compared_with_f32(tmp_path, capsys):
    precision.main(["--quick", "--output", str(tmp_path / "precision.json")])
    result = json.loads((tmp_path / "precision.json").read_text())
    native = [name for name, listed in (("bf16", "BF16"), ("f16", "FP16")) if listed in capabilities()]
    assert set(result["seconds"]) == {"f32", *native}
    assert list(result["comparisons"]) == native
    for name, found in result["comparisons"].items():
        assert found["differences"] == [f"precision: f32 in the reference, {name} in the candidate"]
        assert (found["num_videos"], found["verdict"]) == (2, "UNDECIDED")
        assert f"| {name} | 2 | " in inference_tables.verdicts({"precision": result})


def test_an_error_of_the_comparison_is_shown(tmp_path):
    with pytest.raises(ValueError, match="f32 does not exist; give a folder that x3d_evaluate"):
        precision.compare([], tmp_path, "bf16")


@pytest.mark.parametrize(
    ("refused", "error", "expected"),
    [
        ("f16", PrecisionError("no"), ["f32", "bf16"]),
        ("bf16", EngineError("broken"), EngineError),
        ("f32", PrecisionError("no"), PrecisionError),
    ],
)
def test_only_the_refusal_of_a_narrower_precision_skips_it(refused, error, expected, monkeypatch):
    def open_engine(model, engine, device, num_threads, precision="f32"):
        if precision == refused:
            raise error
        return precision

    monkeypatch.setattr(agreement, "read_model", lambda path: None)
    monkeypatch.setattr(agreement, "open_engine", open_engine)
    if isinstance(expected, list):
        assert list(agreement.open_native("m.onnx", 1)) == expected
    else:
        with pytest.raises(expected, match=str(error)):
            agreement.open_native("m.onnx", 1)
