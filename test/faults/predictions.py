"""Faults of what x3d_predict.py is given."""

import os
from collections.abc import Callable

from test import world
from test.faults.row import Fault, each, nothing, replace_by_pipe, write

VIDEO = "data/val/h264.mp4"


def predict(*more: str, videos: str = VIDEO, model: str = "small.onnx") -> Callable[[], world.Ran]:
    return lambda: world.predict(model, videos, *more)


def _wrong(name: str, make: Callable[[], object], command: Callable[[], world.Ran], *message: str) -> Fault:
    return Fault(name, make, command, 2, message)


FAULTS = (
    _wrong("no video", nothing, predict(videos="none.mp4"), "--input none.mp4 does not exist"),
    _wrong(
        "a folder without videos", lambda: os.mkdir("empty"), predict(videos="empty"), "--input empty holds no file"
    ),
    _wrong("a checkpoint as model", nothing, predict(model="small.pyth"), "small.pyth is a checkpoint; export it"),
    _wrong("steps of no length", nothing, predict("--every", "-1"), "--every -1 is no length of time"),
    _wrong("no class", nothing, predict("--top", "0"), "--top 0 leaves no class"),
    _wrong(
        "names of other classes", write("names", "a\n"), predict("--names", "names"), "1 line and .*NUM_CLASSES is 9"
    ),
    _wrong("a user's csv as output", write("my.csv", "a,b\n"), predict("--output", "my.csv"), "my.csv is another file"),
    _wrong("a user's JSON as output", write("my.json", "{}"), predict("--output", "my.json"), "my.json is no file of"),
    _wrong("a folder as output", lambda: os.mkdir("a.csv"), predict("--output", "a.csv"), "a.csv is another file"),
    _wrong("no folder for the output", nothing, predict("--output", "no/a.csv"), "no/a.csv cannot be written in"),
    _wrong("another suffix", nothing, predict("--output", "a.txt"), "--output a.txt has the suffix .txt"),
    Fault(
        "a text file, a pipe and a name with control characters",
        each(
            replace_by_pipe("data/val/vp9.webm"),
            write("data/val/mpeg4.avi", "text"),
            lambda: os.rename(VIDEO, "data/val/\x1b[31m\n[ERROR] a,b.mp4"),
        ),
        predict("--output", "out.json", videos="data/val"),
        1,
        ["not_a_video: data/val/mpeg4.avi", "unreadable: data/val/vp9.webm"],
        present=["out.json"],
    ),
    Fault(
        "a model that ignores its input",
        lambda: _zero_weights("small.onnx", "zero.onnx"),
        predict(videos="data/val/h264.mp4,data/val/h264.mkv", model="zero.onnx"),
        0,
        ["all classes have the same score", "all 2 videos have exactly the same scores"],
    ),
)


def _zero_weights(source: str, target: str) -> None:
    import numpy as np
    import onnx
    from onnx import numpy_helper

    model = onnx.load(source)
    del model.metadata_props[:]
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32:
            tensor.CopyFrom(numpy_helper.from_array(np.zeros_like(values), tensor.name))
    onnx.save(model, target)
