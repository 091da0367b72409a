"""Describe the machine and the packages, on which figures depend."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from x3d.cores import count_cores

PACKAGES = ("numpy", "av", "opencv-python-headless", "torch", "openvino", "onnxruntime", "ray", "scipy")
INSTRUCTION_SETS = (
    ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16", "avx_vnni", "amx_tile", "amx_bf16", "amx_int8")
    + ("asimd", "asimdhp", "bf16", "sve", "sve2")  # aarch64
)


def describe_machine() -> dict[str, Any]:
    """Collect processor, its instruction sets, cores and versions."""
    known = read_processor()
    flags = set(known.get("flags", known.get("Features", "")).split())
    return {
        "processor": known.get("model name") or platform.processor() or platform.machine(),
        "instruction_sets": [name for name in INSTRUCTION_SETS if name in flags],
        "cores": count_cores(),
        "python": platform.python_version(),
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def read_processor() -> dict[str, str]:
    """Read what Linux reports of the first processor; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
