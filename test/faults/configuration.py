"""Faults of the yaml file and of KEY VALUE pairs."""

from pathlib import Path

from test import world
from test.faults.row import Fault, edit, nothing, write

CFG = "cfg.yaml"
HEAD = "DATA:\n  NUM_FRAMES: "


def preprocess() -> world.Ran:
    return world.preprocess("new")


def _key(name: str, *message: str, value: str = "", status: int = 2) -> Fault:
    return Fault(f"{name} {value!r}", nothing, lambda: world.preprocess("new", name, value), status, [name, *message])


FAULTS = (
    Fault("no yaml", lambda: Path(CFG).unlink(), preprocess, 2, ["cfg.yaml"]),
    Fault("a list", write(CFG, "- a\n- b\n"), preprocess, 2, ["cfg.yaml"]),
    Fault("empty", write(CFG, ""), preprocess, 2, ["cfg.yaml"]),
    Fault("a section without keys", write(CFG, "DATA:\n"), preprocess, 2, ["DATA", "cfg.yaml"]),
    Fault("a key without value", write(CFG, HEAD + "\n"), preprocess, 2, [r"DATA\.NUM_FRAMES", "cfg.yaml"]),
    Fault("a section twice", write(CFG, "DATA:\n  NUM_FRAMES: 4\nDATA:\n  NUM_FRAMES: 8\n"), preprocess, 2, ["DATA"]),
    Fault("a key twice", write(CFG, HEAD + "4\n  NUM_FRAMES: 8\n"), preprocess, 2, [r"NUM_FRAMES.* more than once"]),
    Fault("a misspelt key", write(CFG, "DATA:\n  NUM_FRAME: 4\n"), preprocess, 2, [r"nearest is DATA\.NUM_FRAMES"]),
    Fault("a python object", write(CFG, "DATA: !!python/object/apply:os.getcwd []\n"), preprocess, 2, ["cfg.yaml"]),
    Fault("nested too deep", write(CFG, "[" * 10_000), preprocess, 2, ["cfg.yaml"]),
    Fault("a control character", edit(CFG, lambda data: data + b"\x00"), preprocess, 2, ["cfg.yaml"]),
    Fault("Latin-1", edit(CFG, lambda data: data + b"# caf\xe9\n"), preprocess, 2, ["cfg.yaml"]),
    _key("DATA.NUM_FRAMES", value="many"),
    _key("DATA.NUM_FRAMES", value="-1"),
    _key("DATA.MEAN", value="[1]"),
    _key("DATA.PATH_TO_DATA_DIR", value=""),
    _key("X3D_WORKERS.NUM", value="-3"),
    Fault("no output folder", nothing, lambda: world.preprocess(""), 2, ["DATA_OUTPUT_PATH"]),
    Fault("no model", nothing, lambda: world.evaluate("", "new"), 2, [r"X3D_EVALUATE\.MODEL_PATH"]),
    Fault("no checkpoint", nothing, lambda: world.export("", "new.onnx"), 2, [r"TEST\.CHECKPOINT_FILE_PATH"]),
    Fault("no results", nothing, lambda: world.score(""), 2, [r"X3D_POSTPROCESS\.OM_OUTPUT_PATH"]),
)
