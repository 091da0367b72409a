"""A smoke run of the benchmark of precisions: evaluate in each, and compare with f32, by the scripts."""

import json

import pytest

from benchmarks import inference_tables, precision
from test.test_precision import capabilities


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
    with pytest.raises(ValueError, match="f32 is no folder; give one that x3d_evaluate"):
        precision.compare([], tmp_path, "bf16")
