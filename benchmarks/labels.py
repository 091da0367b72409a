"""Names, published figures and conditions, as tables and figures show them."""

from collections.abc import Mapping
from typing import Any

from x3d.errors import counted

ENGINES = {
    "openvino": "OpenVINO",
    "openvino_bf16": "OpenVINO, bf16",
    "openvino_f16": "OpenVINO, f16",
    "onnxruntime": "ONNX Runtime",
    "pytorch": "PyTorch eager",
}
AGREEMENTS = {"kinetics_shaped": "X3D-S, Kinetics-shaped clips", "demo": "demo's network, its hard clips"}
SCRIPTS = {"x3d_preprocess": "x3d_preprocess.py", "x3d_evaluate": "x3d_evaluate.py"}
WORKER_KINDS = {"workers": "worker", "ray_nodes": "Ray node"}
PRECISIONS = ("f32", "bf16")
"""Of the end-to-end routes."""
FILES = "x3d_preprocess.py, x3d_infer.py, x3d_postprocess.py"
Results = Mapping[str, Any]


def conditions(result: Results) -> str:
    """Describe the machine, versions and rounds of a result."""
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    if "rounds" in result:
        how = f"medians of {result['rounds']} rounds" if result["rounds"] > 1 else "one round"
    else:
        how = f"seed {result['seed']}" if "seed" in result else "each once"
    if result.get("commit"):
        how += f", commit {result['commit'][:7]}"
    counts = [*machine.get("instruction_sets", ()), counted(machine["cores"], "core")]
    if "threads" in result:
        counts.append(counted(result["threads"], "thread"))
    if "threads_a_worker" in result:
        counts.append(f"{counted(result['threads_a_worker'], 'thread')} per worker")
    return f"{machine['processor']}, {', '.join(counts)}; {how}; Python {machine['python']}, {versions}."
