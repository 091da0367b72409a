"""What a model returns: probabilities, independent ones, or logits."""

import numpy as np
import pytest

from x3d.scoring.outputs import Outputs, are_alike, explain_unusable, find_unusable, to_probabilities

LOGITS = np.random.RandomState(0).standard_normal((30, 400)).astype(np.float32) * 3
PROBABILITIES = to_probabilities(LOGITS, Outputs.LOGITS)


def row(*values: float) -> np.ndarray:
    return np.array([values], dtype=np.float32)


def test_a_softmax_in_float32_is_applied_to_logits_only():
    exact = np.exp(LOGITS.astype(np.float64))
    assert PROBABILITIES.dtype == np.float32
    np.testing.assert_allclose(PROBABILITIES, exact / exact.sum(axis=1, keepdims=True), rtol=1e-5)
    for outputs in (Outputs.SOFTMAX, Outputs.SIGMOID):
        assert to_probabilities(PROBABILITIES, outputs) is PROBABILITIES


def test_a_softmax_of_log_probabilities_gives_the_probabilities_and_large_logits_do_not_overflow():
    np.testing.assert_allclose(to_probabilities(np.log(PROBABILITIES), Outputs.LOGITS), PROBABILITIES, rtol=1e-4)
    assert to_probabilities(row(3e38, 0, -3e38), Outputs.LOGITS).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("scale", [1, 3, 30])
def test_probabilities_computed_in_float16_are_usable(scale):
    halves = np.exp(
        (scale * LOGITS).astype(np.float16) - (scale * LOGITS).astype(np.float16).max(axis=1, keepdims=True)
    )
    halves = halves / halves.sum(axis=1, keepdims=True, dtype=np.float16)
    assert halves.dtype == np.float16
    assert not find_unusable(halves.astype(np.float32), Outputs.SOFTMAX).any()


NOT_PROBABILITIES = "not probabilities (each from 0 to 1, with the sum 1); set X3D_POSTPROCESS.SOFTMAX True if they are"


@pytest.mark.parametrize(
    ("outputs", "rows", "text"),
    [
        (Outputs.SOFTMAX, row(0.2, np.nan, 0.8), "holds scores that are not finite"),
        (Outputs.SOFTMAX, row(0.2, np.inf, 0.8), "holds scores that are not finite"),
        (Outputs.SOFTMAX, row(np.inf, -np.inf, 0.8), "holds scores that are not finite"),
        (Outputs.SOFTMAX, row(0, 0, 0), "holds the same score for every class; set X3D_POSTPROCESS.SOFTMAX True"),
        (
            Outputs.SOFTMAX,
            row(-0.1, 0.1, 1),
            NOT_PROBABILITIES,
        ),
        (Outputs.SOFTMAX, row(0.2, 0.3, 0.48), NOT_PROBABILITIES),
        (Outputs.SOFTMAX, row(0.2, 0.3, 0.52), NOT_PROBABILITIES),
        (Outputs.SOFTMAX, row(0, 0, 1.005), NOT_PROBABILITIES),
        (Outputs.SOFTMAX, row(3e38, 3e38, 0), NOT_PROBABILITIES),
        (Outputs.SOFTMAX, np.log(row(0.2, 0.3, 0.5)), NOT_PROBABILITIES),
        (Outputs.SIGMOID, row(0.2, 1.5, 0.1), "not probabilities (each from 0 to 1); set X3D"),
        (Outputs.SIGMOID, row(0.5, 0.5, 0.5), "the same score for every class; set"),
        (Outputs.LOGITS, row(0.2, 0.3, 0.5), "holds probabilities already; set X3D_POSTPROCESS.SOFTMAX False"),
        (Outputs.LOGITS, row(7, 7, 7), "the same score for every class"),
        (Outputs.LOGITS, row(0, -np.inf, 1), "not finite"),
    ],
)
def test_an_unusable_row_is_explained(outputs, rows, text):
    assert find_unusable(rows, outputs).tolist() == [True]
    assert text in explain_unusable(rows[0], outputs)


@pytest.mark.parametrize(
    ("outputs", "rows"),
    [
        (Outputs.SOFTMAX, PROBABILITIES),
        (Outputs.SOFTMAX, row(0, 0, 1)),
        (Outputs.SOFTMAX, row(0, 0, 1.0005)),
        (Outputs.SOFTMAX, row(0.333, 0.333, 0.333)),
        (Outputs.SIGMOID, row(0.9, 0.8, 0)),
        (Outputs.LOGITS, LOGITS),
        (Outputs.LOGITS, np.log(PROBABILITIES)),
        (Outputs.LOGITS, row(0.9, 0.8, 0)),
    ],
)
def test_usable_rows(outputs, rows):
    assert not find_unusable(rows, outputs).any()


def test_rows_are_judged_one_by_one():
    rows = np.concatenate([row(0, 1), row(5, 1), row(0.5, 0.5)])
    assert find_unusable(rows, Outputs.SOFTMAX).tolist() == [False, True, False]


def test_rows_are_alike_when_several_are_equal():
    assert are_alike(np.tile(PROBABILITIES[:1], (5, 1)))
    assert not are_alike(PROBABILITIES)
    assert not are_alike(PROBABILITIES[:1])
