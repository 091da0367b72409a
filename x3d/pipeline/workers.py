"""How many worker processes a device takes, and what each of them takes of a Ray cluster."""

from x3d.cores import count_cores
from x3d.execution.runner import RunnerSettings

WORKERS_PER_DEVICE = 4
RAY_RESOURCES = {
    **dict.fromkeys(("CUDA", "TENSORRT", "ROCM", "MIGRAPHX", "GPU"), "GPU"),
    **dict.fromkeys(("CANN", "NPU"), "NPU"),
}
"""Ray's name for a kind of device."""


def count_workers(runner: RunnerSettings, device: str, num_devices: int = 1) -> int:
    """Count the worker processes: one per core; at most four per device, which take turns on it.

    Args:
        device: kind of the devices.
    """
    num_cores = count_cores()
    return runner.num_workers or (num_cores if device == "CPU" else min(num_cores, WORKERS_PER_DEVICE * num_devices))


def task_resources(device: str) -> dict[str, float]:
    """List what a task on a Ray cluster takes: a core, and a share of a GPU or NPU if the engine runs on one."""
    resource = RAY_RESOURCES.get(device)
    return {"CPU": 1.0} | ({resource: 1 / WORKERS_PER_DEVICE} if resource else {})
