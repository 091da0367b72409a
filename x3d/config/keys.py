"""The configuration keys: name, default, meaning and limits of each, declared once.

Defaults come from PySlowFast 9839d13 (`slowfast/config/defaults.py`); the X3D_* sections and OWN_KEYS are this
suite's. The yacs defaults, the checks, `--help`, the table of docs/reference.md and the nodes in x3d.patch are made
from this table. It imports nothing outside the standard library, so that `--help` is quick.
"""

import copy
from collections.abc import Iterable

from x3d.config.key import Key, Value


def _ignored(name: str, default: Value, reason: str) -> Key:
    return Key(name, default, reason, is_read=False)


_BACKENDS = ("native", "slowfast")
_TRAINING = "training only"
_REFERENCE = "read by PySlowFast only"
_NOT_X3D = "not used by X3D"

SECTIONS: dict[str, tuple[Key, ...]] = {
    "DATA": (
        Key("PATH_TO_DATA_DIR", "", "folder with test.csv"),
        Key("PATH_LABEL_SEPARATOR", " ", "separates path and label; a line is split at the last one"),
        Key("PATH_PREFIX", "", "folder that the listed paths are relative to"),
        Key(
            "CLASS_NAMES",
            "",
            "file with the class names, a name per line in the order of the labels; empty: Kinetics-400's if "
            "MODEL.NUM_CLASSES is 400",
        ),
        Key("NUM_FRAMES", 8, "frames per clip", minimum=2, decides_views=True),
        Key(
            "SAMPLING_RATE",
            8,
            "frames from one sampled frame to the next, at TARGET_FPS",
            minimum=1,
            decides_views=True,
        ),
        Key("TARGET_FPS", 30, "frame rate that SAMPLING_RATE refers to", minimum=1, decides_views=True),
        Key(
            "USE_OFFSET_SAMPLING",
            False,
            "True: clips start at whole frames, the last clip at the end",
            decides_views=True,
        ),
        Key(
            "MEAN",
            [0.45, 0.45, 0.45],
            "subtracted from R, G, B in [0, 1]",
            minimum=0,
            maximum=1,
            length=3,
            decides_views=True,
        ),
        Key("STD", [0.225, 0.225, 0.225], "divides R, G, B", minimum=1e-6, maximum=1, length=3, decides_views=True),
        Key(
            "TRAIN_JITTER_SCALES",
            [256, 320],
            "the first is the short side in pixels with one crop per clip",
            minimum=1,
            length=2,
            decides_views=True,
        ),
        Key("TRAIN_CROP_SIZE", 224, "crop size of training in pixels; fixes the head's average pool", minimum=32),
        Key(
            "TEST_CROP_SIZE",
            256,
            "crop size in pixels; with several crops per clip the short side too",
            minimum=32,
            decides_views=True,
        ),
        Key("REVERSE_INPUT_CHANNEL", False, "True: channels in the order B, G, R", decides_views=True),
        Key("ENSEMBLE_METHOD", "sum", "how the scores of a video's views are aggregated", allowed=("sum", "max")),
        Key("MULTI_LABEL", False, "Kinetics has one label per video", allowed=(False,)),
        Key("INPUT_CHANNEL_NUM", [3, 3], "channels of each pathway; X3D has one", allowed=([3],)),
        _ignored("DECODING_BACKEND", "pyav", f"{_REFERENCE}; this suite decodes with PyAV"),
        _ignored("TRAIN_PCA_EIGVAL", [0.225, 0.224, 0.229], _TRAINING),
        _ignored(
            "TRAIN_PCA_EIGVEC",
            [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.814], [-0.5836, -0.6948, 0.4203]],
            _TRAINING,
        ),
        _ignored("PATH_TO_PRELOAD_IMDB", "", _TRAINING),
        _ignored("TRAIN_JITTER_SCALES_RELATIVE", [], _TRAINING),
        _ignored("TRAIN_JITTER_ASPECT_RELATIVE", [], _TRAINING),
        _ignored("TRAIN_JITTER_MOTION_SHIFT", False, _TRAINING),
        _ignored("INV_UNIFORM_SAMPLE", False, _TRAINING),
        _ignored("RANDOM_FLIP", True, _TRAINING),
    ),
    "TEST": (
        _ignored("ENABLE", True, _REFERENCE),
        Key("DATASET", "kinetics", "the data set", allowed=("kinetics",)),
        Key("BATCH_SIZE", 8, "most views per batch in x3d_evaluate.py; a batch is of one video, on a CPU 8", minimum=1),
        Key("CHECKPOINT_FILE_PATH", "", "the .pyth or .pth to export"),
        Key("CHECKPOINT_TYPE", "pytorch", "format of the checkpoint", allowed=("pytorch",)),
        Key("NUM_ENSEMBLE_VIEWS", 10, "clips per video", minimum=1, maximum=10_000, decides_views=True),
        Key(
            "NUM_SPATIAL_CROPS",
            3,
            "crops per clip; 1: centre; 2: left or top, centre; 3: right or bottom too",
            allowed=(1, 2, 3),
            decides_views=True,
        ),
        _ignored("SAVE_RESULTS_PATH", "", _REFERENCE),
    ),
    "MODEL": (
        Key("ARCH", "slowfast", "architecture", allowed=("x3d",)),
        Key("MODEL_NAME", "SlowFast", "network class", allowed=("X3D",)),
        Key("NUM_CLASSES", 400, "classes, and the length of a row of scores", minimum=1, maximum=1_000_000),
        Key("HEAD_ACT", "softmax", "activation over the classes", allowed=("softmax", "sigmoid")),
        _ignored("LOSS_FUNC", "cross_entropy", _TRAINING),
        _ignored("DROPOUT_RATE", 0.5, _TRAINING),
        _ignored("DROPCONNECT_RATE", 0.0, _TRAINING),
        _ignored("FC_INIT_STD", 0.01, _TRAINING),
        _ignored("ACT_CHECKPOINT", False, _TRAINING),
        _ignored("SINGLE_PATHWAY_ARCH", ["2d", "c2d", "i3d", "slow", "x3d", "mvit"], _REFERENCE),
        _ignored("MULTI_PATHWAY_ARCH", ["slowfast"], _REFERENCE),
    ),
    "X3D": (
        Key("WIDTH_FACTOR", 1.0, "scales the width of every stage", minimum=0.01),
        Key("DEPTH_FACTOR", 1.0, "scales the number of blocks of every stage", minimum=0.01, maximum=100),
        Key("BOTTLENECK_FACTOR", 1.0, "ratio of a block's inner to its outer width", minimum=0.01),
        Key("DIM_C5", 2048, "width of the layer before the classifier", minimum=1),
        Key("DIM_C1", 12, "width of the stem before scaling", minimum=1),
        Key("SCALE_RES2", False, "True: res2 is twice as wide as the stem"),
        Key("BN_LIN5", False, "True: BatchNorm after head.lin_5"),
        Key("CHANNELWISE_3x3x3", True, "False: the 3x3x3 convolution is an ordinary one"),
    ),
    "RESNET": (
        Key("TRANS_FUNC", "bottleneck_transform", "block type", allowed=("x3d_transform",)),
        Key("NUM_GROUPS", 1, "groups of the 3x3x3 convolution if it is not channelwise", minimum=1),
        Key("STRIDE_1X1", False, "True: stride in the 1x1x1 convolution", allowed=(False,)),
        Key("SPATIAL_DILATIONS", [[1], [1], [1], [1]], "dilation of each stage", allowed=([[1], [1], [1], [1]],)),
        _ignored("WIDTH_PER_GROUP", 64, _NOT_X3D),
        _ignored("DEPTH", 50, _NOT_X3D),
        _ignored("NUM_BLOCK_TEMP_KERNEL", [[3], [4], [6], [3]], _NOT_X3D),
        _ignored("SPATIAL_STRIDES", [[1], [2], [2], [2]], _NOT_X3D),
        _ignored("INPLACE_RELU", True, "no effect on the result"),
        _ignored("ZERO_INIT_FINAL_BN", False, _TRAINING),
    ),
    "DATA_LOADER": (
        _ignored("NUM_WORKERS", 8, f"{_REFERENCE}; this suite has X3D_WORKERS.NUM"),
        _ignored("PIN_MEMORY", True, _REFERENCE),
        _ignored("ENABLE_MULTI_THREAD_DECODE", False, _REFERENCE),
    ),
    "X3D_PREPROCESS": (
        Key("ENABLE", True, "False: log it and exit"),
        Key("DATA_OUTPUT_PATH", "", "folder for the views"),
        Key("FORMAT", "npy", "bin: the bytes of npy without its header", allowed=("npy", "bin"), decides_views=True),
        Key(
            "DTYPE",
            "float32",
            "type of the values; float16: half the bytes, for an .om with a float16 input or x3d_infer.py",
            allowed=("float32", "float16"),
            decides_views=True,
        ),
        Key("BACKEND", "native", "slowfast: the stage as PySlowFast does it", allowed=_BACKENDS, decides_views=True),
        Key("OVERWRITE", False, "False: resume, and keep the views that a manifest of the same configuration lists"),
    ),
    "X3D_PTH2ONNX": (
        Key("ENABLE", True, "False: log it and exit"),
        Key("ONNX_OUTPUT_PATH", "", "the .onnx to write"),
        Key("CHECKPOINT_FILE_PATH", "", "overrides TEST.CHECKPOINT_FILE_PATH"),
        Key(
            "LAYOUT",
            "auto",
            "library whose names the checkpoint's tensors have; auto: recognised",
            allowed=("auto", "pyslowfast", "pytorchvideo", "mmaction2"),
        ),
        Key("WEIGHTS", "", "the checkpoint's entry to export, such as ema_state; empty: model_state or state_dict"),
        Key("BACKEND", "native", "slowfast: the stage as PySlowFast does it", allowed=_BACKENDS),
        Key("OPSET", 11, "ONNX operator set; 11 is what ATC of CANN 6.0 reads", allowed=tuple(range(11, 18))),
        Key("BATCH_SIZE", 0, "0: dynamic batch size; else fixed", minimum=0),
        Key("TOLERANCE", 1e-5, "largest difference from the checkpoint that passes", minimum=0),
    ),
    "X3D_POSTPROCESS": (
        Key("ENABLE", True, "False: log it and exit"),
        Key("OM_OUTPUT_PATH", "", "folder of results"),
        Key("BACKEND", "native", "slowfast: the stage as PySlowFast does it", allowed=_BACKENDS),
        Key("ALLOW_MISSING", False, "False: an incomplete set is rejected"),
        Key("SOFTMAX", False, "True: the model returns logits; apply a softmax to them before views are aggregated"),
    ),
    "X3D_EVALUATE": (
        Key("MODEL_PATH", "", "the .onnx, .xml or .om to run"),
        Key("OUTPUT_PATH", "", "folder for the scores"),
        Key(
            "ENGINE",
            "auto",
            "runs the model; auto: chosen by the suffix of MODEL_PATH",
            allowed=("auto", "openvino", "onnxruntime", "ais_bench"),
        ),
        Key(
            "DEVICE",
            "",
            "device as the engine names it, or several, such as 0,1 or cuda:0,cuda:1, over which the workers spread; "
            "empty: the engine's default",
        ),
        Key(
            "PRECISION",
            "f32",
            "what the model is computed in; one that the device does not have natively is rejected",
            allowed=("f32", "bf16", "f16", "tf32"),
        ),
    ),
    "X3D_WORKERS": (
        Key("NUM", 0, "worker processes on this machine; 0: one per core, at most four per device", minimum=0),
        Key("RAY_ADDRESS", "", "address of the Ray cluster to run on; empty: this machine"),
        Key("TIMEOUT", 120, "seconds that one video may take; loading the model may take 30 more", minimum=1),
        Key(
            "ON_ERROR", "skip", "skip: list every failure, exit 1; raise: stop at the first", allowed=("skip", "raise")
        ),
    ),
}

KEYS = {f"{section}.{key.name}": key for section, keys in SECTIONS.items() for key in keys}

OWN_KEYS = frozenset({"DATA.CLASS_NAMES"})
"""Keys of this suite in sections of PySlowFast."""

SCORING_KEYS = (
    "DATA.PATH_TO_DATA_DIR",
    "DATA.PATH_LABEL_SEPARATOR",
    "DATA.CLASS_NAMES",
    "DATA.ENSEMBLE_METHOD",
    "TEST.NUM_ENSEMBLE_VIEWS",
    "TEST.NUM_SPATIAL_CROPS",
    "MODEL.NUM_CLASSES",
    "MODEL.HEAD_ACT",
    "X3D_POSTPROCESS.SOFTMAX",
)
"""Keys that decide how the folder of a run is read and scored."""

RENAMED = {
    "X3D_PREPROCESS.TIMEOUT": "X3D_WORKERS.TIMEOUT",
    "X3D_PREPROCESS.ON_ERROR": "X3D_WORKERS.ON_ERROR",
}
"""Old name of a key -> the name it is accepted as."""

UNREAD_SECTIONS = frozenset(
    "TRAIN SOLVER BN AUG MIXUP NONLOCAL MVIT SLOWFAST BENCHMARK DETECTION AVA MULTIGRID TENSORBOARD DEMO "
    "NUM_GPUS NUM_SHARDS SHARD_ID OUTPUT_DIR RNG_SEED LOG_PERIOD LOG_MODEL_INFO DIST_BACKEND".split()
)
"""PySlowFast's other sections and keys: accepted and ignored."""


def defaults() -> dict[str, dict[str, Value]]:
    """Copy the default of every key, by section."""
    return {section: {key.name: copy.deepcopy(key.default) for key in keys} for section, keys in SECTIONS.items()}


def added_defaults() -> dict[str, dict[str, Value]]:
    """Copy the defaults of the keys that PySlowFast does not have, by section."""
    added = {
        section: {name: value for name, value in keys.items() if is_added(section, name)}
        for section, keys in defaults().items()
    }
    return {section: keys for section, keys in added.items() if keys}


def is_added(section: str, name: str) -> bool:
    """Check whether a key is this suite's own."""
    return section.startswith("X3D_") or f"{section}.{name}" in OWN_KEYS


def select_keys(names: Iterable[str]) -> dict[str, Key]:
    """Select the keys that this suite reads out of sections (DATA) and single keys (TEST.BATCH_SIZE)."""
    wanted = frozenset(names)
    return {name: key for name, key in KEYS.items() if key.is_read and wanted & {name, name.split(".")[0]}}
