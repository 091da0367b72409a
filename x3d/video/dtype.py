"""The number types of views: float32, in which they are computed, and float16, with which they take half the bytes."""

import numpy as np

DTYPES = ("float32", "float16")
_ZERO = np.zeros(1)


def convert(views: np.ndarray, dtype: str) -> np.ndarray:
    """Convert views to another type, rounding to nearest, ties to even; those of the same type are returned themselves.

    OpenCV's difference from zero has the bits of NumPy's conversion, in a third of the time or less.

    Args:
        views: any shape, float32 or float16.
        dtype: one of DTYPES.
    """
    if views.dtype == dtype:
        return views
    import cv2

    row = views.reshape(1, -1)  # of one axis, four numbers would count as a colour
    converted = cv2.subtract(row, _ZERO, dtype=cv2.CV_16F if dtype == "float16" else cv2.CV_32F)
    return np.asarray(converted).reshape(views.shape)
