"""Conversion of views between float32 and float16, beside NumPy's."""

import numpy as np
import pytest

from x3d.video.dtype import convert

HALVES = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
FINITE = np.sort(HALVES[np.isfinite(HALVES)])


def bits(values: np.ndarray) -> np.ndarray:
    return values.view({2: np.uint16, 4: np.uint32}[values.itemsize])


def test_every_float16_becomes_the_float32_that_numpy_makes_of_it():
    numbers = HALVES[~np.isnan(HALVES)]
    np.testing.assert_array_equal(bits(convert(numbers, "float32")), bits(numbers.astype(np.float32)))


def test_float32_becomes_the_nearest_float16_and_of_two_the_even_one():
    values = FINITE.astype(np.float32)
    ties = (values[1:] + values[:-1]) / 2
    near = [np.nextafter(ties, np.float32(side)) for side in (-np.inf, np.inf)]
    found = np.concatenate([values, ties, *near])
    np.testing.assert_array_equal(bits(convert(found, "float16")), bits(found.astype(np.float16)))


def test_a_standardised_pixel_changes_by_half_a_unit_in_the_last_place():
    """Half of 2^-9, the distance of float16 numbers from 2 to 4, which (x - 0.45) / 0.225 reaches at x = 1."""
    pixels = ((np.linspace(0, 1, 1_000_001) - 0.45) / 0.225).astype(np.float32)
    assert (pixels.min(), pixels.max()) == pytest.approx((-2, 2.4444), abs=1e-4)
    differences = np.abs(convert(convert(pixels, "float16"), "float32") - pixels)
    assert 0.00097 < differences.max() <= 2**-10
    assert differences[np.abs(pixels) < 2].max() <= 2**-11


@pytest.mark.parametrize("shape", [(4,), (3, 2), (5, 4, 3), (2, 3, 1, 2, 2), (2, 3, 4, 5, 3)])
def test_views_keep_their_shape_and_order(shape):
    views = np.random.RandomState(0).standard_normal(shape).astype(np.float32)
    halves = convert(views, "float16")
    assert halves.flags.c_contiguous
    np.testing.assert_array_equal(bits(halves), bits(views.astype(np.float16)))
    np.testing.assert_array_equal(convert(halves, "float32"), views.astype(np.float16).astype(np.float32))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_views_of_the_wanted_type_are_not_copied(dtype):
    views = np.ones((1, 3, 1, 2, 2), dtype)
    assert convert(views, dtype) is views
