"""Check that a device computes natively in the precision asked for: "f32", "bf16", "f16" or "tf32"."""

import ctypes
from collections.abc import Collection

from x3d.errors import EngineError, PrecisionError

CAPABILITY_MAJOR, CAPABILITY_MINOR = 75, 76
"""Attributes of a device in the CUDA driver's API (CUdevice_attribute)."""
NATIVE_FROM = {"f16": (5, 3), "tf32": (8, 0)}
"""The compute capability with which a GPU has a type's arithmetic (CUDA C++ Programming Guide)."""


def check_precision(precision: str, offered: Collection[str], where: str) -> None:
    """Check that a precision is among those offered.

    Args:
        where: the engine and device that offer them.
    Raises:
        PrecisionError: it is not.
    """
    if precision not in offered:
        raise PrecisionError(
            f"precision {precision}: {where} has no native support for it; set X3D_EVALUATE.PRECISION or --precision "
            f"to what it has, {' or '.join(offered)}"
        )


def check_gpu(precision: str, offered: Collection[str], number: int) -> None:
    """Check that a GPU of NVIDIA has arithmetic of a type, or would compute in another without saying so.

    Args:
        offered: by ONNX Runtime's provider, on a GPU that has all of it.
    Raises:
        PrecisionError: it has not.
        EngineError: the driver cannot be asked.
    """
    if precision not in NATIVE_FROM:
        return
    found = compute_capability(number)
    if found < NATIVE_FROM[precision]:
        native = [name for name in offered if found >= NATIVE_FROM.get(name, (0, 0))]
        check_precision(precision, native, f"CUDA device {number}, of compute capability {found[0]}.{found[1]},")


def compute_capability(number: int) -> tuple[int, int]:
    """Ask the CUDA driver for the compute capability of a GPU, by its number in this process.

    Raises:
        EngineError: there is no driver or no such GPU.
    """
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise EngineError(f"the driver of CUDA cannot be loaded ({error}); install it, or give device cpu") from error
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    status = driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), number)
    for value, attribute in ((major, CAPABILITY_MAJOR), (minor, CAPABILITY_MINOR)):
        status = status or driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device)
    if status:
        raise EngineError(f"the driver of CUDA has no device {number} (error {status}); nvidia-smi -L lists them")
    return major.value, minor.value
