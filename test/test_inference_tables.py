"""The tables of inference, from results made up by hand."""

from typing import Any

from benchmarks import inference_tables, plot
from benchmarks.inference import ratios

MACHINE = {"processor": "X", "cores": 2, "python": "3.11", "versions": {}}


def measured(rate: float, **more: Any) -> dict[str, Any]:
    return {
        "views_a_second": rate,
        "share_of_gemm": 0.5,
        "over_throughput_mode": 0.995,
        "over_throughput_mode_quartiles": [0.97, 1.02],
        "calls": 21,
        "latency_ms": {"p50": 1, "p90": 2, "p99": 3},
        **more,
    }


BF16 = measured(75.0, over_f32=1.744, over_f32_quartiles=[1.7, 1.8])
RESULTS: dict[str, Any] = {
    "inference": {
        "machine": MACHINE,
        "rounds": 21,
        "threads": 2,
        "gmac_a_view": 2,
        "precisions": ["f32", "bf16"],
        "batches": [
            {
                "batch_size": size,
                "gemm_gflop_a_second": 300,
                "openvino_throughput_mode_views_a_second": 43,
                "openvino": measured(42.5),
                "openvino_bf16": BF16,
                **({"onnxruntime": measured(5), "pytorch": measured(4)} if size < 64 else {}),
            }
            for size in (8, 64)
        ],
        "agreement": {
            "kinetics_shaped": {"bf16": {"views": 300, "same_top1": 297, "classes": 1, "largest_difference": 0.00512}},
            "demo": {"bf16": {"views": 300, "same_top1": 300, "classes": 12, "largest_difference": 0.041}},
        },
    },
    "precision": {
        "machine": MACHINE,
        "seed": 2026,
        "comparisons": {
            "bf16": {
                "num_videos": 320,
                "reference_top1": {"percent": 78.75, "num_correct": 252},
                "top1": {"percent": 79.0625, "num_correct": 253},
                **{"lost": 1, "gained": 2, "drop_points": -0.3125, "low_points": -1.2, "high_points": 0.5},
                **{"verdict": "PASS", "views_percent": 98.765, "largest_difference": 0.0483},
            }
        },
    },
}


def test_the_agreement_stands_beside_every_speed():
    table = inference_tables.precisions(RESULTS)
    agreed = "0.0051 | 99.00% of 300 views (1) | 0.041 | 100.00% of 300 views (12) |"
    assert f"| bf16 | 8 | 75.0 | 1.74 (1.70 to 1.80) | {agreed}" in table
    assert f"| bf16 | 64 | 75.0 | 1.74 (1.70 to 1.80) | {agreed}" in table


def test_the_ratio_to_the_throughput_mode_has_its_spread():
    table = inference_tables.inference(RESULTS)
    assert (
        "| OpenVINO | 8 | 42.5 | 1.0 | 2.0 | 3.0 | 21 | 50% of 300 GFLOP/s | 0.99 (0.97 to 1.02) of 43.0 views/s"
        in table
    )
    assert table.count("PyTorch eager |") == 1, "it is not measured at batch 64"


def test_a_precision_is_a_row_of_the_rates_where_it_was_measured():
    table = inference_tables.batches(RESULTS)
    assert "| views/s on the host, OpenVINO, bf16 |  |  | 75.0 |  |  | 75.0 |" in table
    assert "| views/s on the host, PyTorch eager |  |  | 4.0 |  |  |  |" in table
    assert "f16 |" not in table.replace("bf16 |", "")


def test_the_verdict_has_its_counts():
    expected = "| bf16 | 320 | 78.75 % (252) | 79.06 % (253) | 1 | 2 | -0.31 (-1.20 to 0.50) | PASS | 98.77 % | 0.048 |"
    assert expected in inference_tables.verdicts(RESULTS)


def test_the_figure_has_a_line_per_engine_that_was_measured():
    [axes] = plot.inference(RESULTS["inference"]).axes
    shown = [text.get_text() for text in axes.texts]
    assert [name for name in shown if name in inference_tables.ENGINES.values()] == [
        *("OpenVINO", "OpenVINO, bf16", "ONNX Runtime", "PyTorch eager")
    ]


def test_a_ratio_is_of_rates_in_the_same_round():
    median, quartiles = ratios([[1, 1], [2, 2], [3, 3]], [[4], [2], [12]])
    assert median == 2
    assert quartiles == [1.25, 2]
