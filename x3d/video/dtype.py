"""The number types of views: float32, in which they are computed, and float16, with which they take half the bytes."""

import numpy as np

DTYPES = ("float32", "float16")
_ONE = np.ones(1)


def convert(views: np.ndarray, dtype: str) -> np.ndarray:
    """Convert views to another type, rounding to nearest, ties to even; those of the same type are returned themselves.

    OpenCV takes a quarter of NumPy's time and gives the same bits. It gets a row: of some shapes it would take the last
    axis for channels.

    Args:
        views: any shape, float32 or float16.
        dtype: one of DTYPES.
    """
    if views.dtype == dtype:
        return views
    import cv2

    converted = cv2.multiply(views.reshape(1, -1), _ONE, dtype=cv2.CV_16F if dtype == "float16" else cv2.CV_32F)
    return np.asarray(converted).reshape(views.shape)
