"""The keys of the configuration: default and meaning of each, and the values allowed.

Defaults are those of PySlowFast 9839d13 (`slowfast/config/defaults.py`), then this suite's X3D_* nodes.
"""

from typing import Any

SCHEMA: dict[str, dict[str, Any]] = {
    "DATA": {
        "PATH_TO_DATA_DIR": "",  # folder that holds test.csv
        "PATH_LABEL_SEPARATOR": " ",  # between path and label; a line is split at the last one
        "PATH_PREFIX": "",  # folder the listed paths are relative to
        "NUM_FRAMES": 8,  # frames of a clip
        "SAMPLING_RATE": 8,  # frames from one sampled frame to the next, at TARGET_FPS
        "TARGET_FPS": 30,  # frame rate at which SAMPLING_RATE counts
        "USE_OFFSET_SAMPLING": False,  # space the clips by whole frames, the last one at the end
        "MEAN": [0.45, 0.45, 0.45],  # subtracted from R, G, B in [0, 1]
        "STD": [0.225, 0.225, 0.225],  # R, G, B are divided by it
        "TRAIN_JITTER_SCALES": [256, 320],  # [0]: short side in pixels when there is one crop
        "TRAIN_CROP_SIZE": 224,  # fixes the kernel of the head's average pool
        "TEST_CROP_SIZE": 256,  # side of a crop, and short side when there are several
        "REVERSE_INPUT_CHANNEL": False,  # True: feed B, G, R
        "ENSEMBLE_METHOD": "sum",  # join a video's views by sum or max
        "MULTI_LABEL": False,  # True is refused: Kinetics has one label a video
        "INPUT_CHANNEL_NUM": [3, 3],  # X3D has one pathway: [3]
        "DECODING_BACKEND": "pyav",  # read by PySlowFast only: this suite always decodes with PyAV
        "TRAIN_PCA_EIGVAL": [0.225, 0.224, 0.229],  # training only
        "TRAIN_PCA_EIGVEC": [
            [-0.5675, 0.7192, 0.4009],
            [-0.5808, -0.0045, -0.814],
            [-0.5836, -0.6948, 0.4203],
        ],  # training only
        "PATH_TO_PRELOAD_IMDB": "",  # training only
        "TRAIN_JITTER_SCALES_RELATIVE": [],  # training only
        "TRAIN_JITTER_ASPECT_RELATIVE": [],  # training only
        "TRAIN_JITTER_MOTION_SHIFT": False,  # training only
        "INV_UNIFORM_SAMPLE": False,  # training only
        "RANDOM_FLIP": True,  # training only
    },
    "TEST": {
        "ENABLE": True,  # read by PySlowFast only
        "DATASET": "kinetics",  # the only one
        "BATCH_SIZE": 8,  # views a batch in x3d_evaluate.py, at most: a batch is of one video, and of 8 on a CPU
        "CHECKPOINT_FILE_PATH": "",  # the .pyth to export
        "CHECKPOINT_TYPE": "pytorch",  # the only one
        "NUM_ENSEMBLE_VIEWS": 10,  # clips a video
        "NUM_SPATIAL_CROPS": 3,  # crops a clip: 1 (centre), 2 or 3 (left or top, centre, right or bottom)
        "SAVE_RESULTS_PATH": "",  # read by PySlowFast only
    },
    "MODEL": {
        "ARCH": "slowfast",  # must be x3d
        "MODEL_NAME": "SlowFast",  # must be X3D
        "NUM_CLASSES": 400,  # classes, and the length of a row of scores
        "HEAD_ACT": "softmax",  # softmax or sigmoid over the classes
        "LOSS_FUNC": "cross_entropy",  # training only
        "DROPOUT_RATE": 0.5,  # training only
        "DROPCONNECT_RATE": 0.0,  # training only
        "FC_INIT_STD": 0.01,  # training only
        "ACT_CHECKPOINT": False,  # training only
        "SINGLE_PATHWAY_ARCH": ["2d", "c2d", "i3d", "slow", "x3d", "mvit"],  # read by PySlowFast only
        "MULTI_PATHWAY_ARCH": ["slowfast"],  # read by PySlowFast only
    },
    "X3D": {
        "WIDTH_FACTOR": 1.0,  # scales the width of every stage
        "DEPTH_FACTOR": 1.0,  # scales the number of blocks of every stage
        "BOTTLENECK_FACTOR": 1.0,  # inner width of a block over its outer width
        "DIM_C5": 2048,  # width of the layer before the classifier
        "DIM_C1": 12,  # width of the stem before scaling
        "SCALE_RES2": False,  # True: res2 is twice as wide as the stem
        "BN_LIN5": False,  # True: BatchNorm after head.lin_5
        "CHANNELWISE_3x3x3": True,  # False: the 3x3x3 convolution is an ordinary one
    },
    "RESNET": {
        "TRANS_FUNC": "bottleneck_transform",  # must be x3d_transform
        "NUM_GROUPS": 1,  # groups of the 3x3x3 convolution when it is not channelwise
        "STRIDE_1X1": False,  # True is refused
        "SPATIAL_DILATIONS": [[1], [1], [1], [1]],  # must be 1
        "WIDTH_PER_GROUP": 64,  # not used by X3D
        "DEPTH": 50,  # not used by X3D
        "NUM_BLOCK_TEMP_KERNEL": [[3], [4], [6], [3]],  # not used by X3D
        "SPATIAL_STRIDES": [[1], [2], [2], [2]],  # not used by X3D
        "INPLACE_RELU": True,  # no effect on the result
        "ZERO_INIT_FINAL_BN": False,  # training only
    },
    "DATA_LOADER": {
        "NUM_WORKERS": 8,  # read by the slowfast backend only: this suite's is X3D_WORKERS.NUM
        "PIN_MEMORY": True,  # read by the slowfast backend only
        "ENABLE_MULTI_THREAD_DECODE": False,  # read by the slowfast backend only
    },
    "X3D_PREPROCESS": {
        "ENABLE": True,  # False: say so and stop
        "DATA_OUTPUT_PATH": "",  # folder for the views
        "BACKEND": "native",  # native, or slowfast: the reference route
        "FORMAT": "npy",  # npy, or bin: the same bytes without a header
        "ON_ERROR": "skip",  # skip: go on, list every failure, exit 1; raise: stop at the first
        "TIMEOUT": 120,  # seconds one video may take, a worker's first with loading the model
        "OVERWRITE": False,  # False: resume, keep what a manifest of the same config vouches for
    },
    "X3D_PTH2ONNX": {
        "ENABLE": True,  # False: say so and stop
        "ONNX_OUTPUT_PATH": "",  # the .onnx to write
        "CHECKPOINT_FILE_PATH": "",  # overrides TEST.CHECKPOINT_FILE_PATH
        "BACKEND": "native",  # native, or slowfast: the reference route
        "OPSET": 11,  # what CANN 6.0's ATC takes
        "BATCH_SIZE": 0,  # 0: dynamic batch; else fixed
        "TOLERANCE": 1e-5,  # largest difference from the checkpoint that passes
    },
    "X3D_POSTPROCESS": {
        "ENABLE": True,  # False: say so and stop
        "OM_OUTPUT_PATH": "",  # folder of results
        "BACKEND": "native",  # native, or slowfast: the reference route
        "ALLOW_MISSING": False,  # False: an incomplete set is refused
    },
    "X3D_EVALUATE": {
        "MODEL_PATH": "",  # the .onnx, .xml or .om to run
        "OUTPUT_PATH": "",  # folder for the scores
        "ENGINE": "auto",  # auto (by suffix), openvino, onnxruntime or ais_bench
        "DEVICE": "",  # as the engine names it; empty: its default
    },
    "X3D_WORKERS": {
        "NUM": 0,  # worker processes here; 0: one a core, at most four on a device
        "RAY_ADDRESS": "",  # an address: run on that Ray cluster
    },
}

UNREAD = frozenset(
    "TRAIN SOLVER BN AUG MIXUP NONLOCAL MVIT SLOWFAST BENCHMARK DETECTION AVA MULTIGRID TENSORBOARD DEMO "
    "NUM_GPUS NUM_SHARDS SHARD_ID OUTPUT_DIR RNG_SEED LOG_PERIOD LOG_MODEL_INFO DIST_BACKEND".split()
)

CHOICES: dict[str, tuple[Any, ...]] = {
    "DATA.ENSEMBLE_METHOD": ("sum", "max"),
    "DATA.MULTI_LABEL": (False,),
    "DATA.INPUT_CHANNEL_NUM": ([3],),
    "TEST.DATASET": ("kinetics",),
    "TEST.CHECKPOINT_TYPE": ("pytorch",),
    "TEST.NUM_SPATIAL_CROPS": (1, 2, 3),
    "MODEL.ARCH": ("x3d",),
    "MODEL.MODEL_NAME": ("X3D",),
    "MODEL.HEAD_ACT": ("softmax", "sigmoid"),
    "RESNET.TRANS_FUNC": ("x3d_transform",),
    "RESNET.STRIDE_1X1": (False,),
    "RESNET.SPATIAL_DILATIONS": ([[1], [1], [1], [1]],),
    "X3D_PREPROCESS.BACKEND": ("native", "slowfast"),
    "X3D_PREPROCESS.FORMAT": ("npy", "bin"),
    "X3D_PREPROCESS.ON_ERROR": ("skip", "raise"),
    "X3D_PTH2ONNX.BACKEND": ("native", "slowfast"),
    "X3D_POSTPROCESS.BACKEND": ("native", "slowfast"),
    "X3D_PTH2ONNX.OPSET": tuple(range(11, 18)),
    "X3D_EVALUATE.ENGINE": ("auto", "openvino", "onnxruntime", "ais_bench"),
}

MINIMUM: dict[str, float] = {
    "DATA.NUM_FRAMES": 2,
    "DATA.SAMPLING_RATE": 1,
    "DATA.TARGET_FPS": 1,
    "DATA.TEST_CROP_SIZE": 32,
    "DATA.TRAIN_CROP_SIZE": 32,
    "TEST.NUM_ENSEMBLE_VIEWS": 1,
    "TEST.BATCH_SIZE": 1,
    "MODEL.NUM_CLASSES": 1,
    "X3D.WIDTH_FACTOR": 0.01,
    "X3D.DEPTH_FACTOR": 0.01,
    "X3D.BOTTLENECK_FACTOR": 0.01,
    "X3D.DIM_C1": 1,
    "X3D.DIM_C5": 1,
    "RESNET.NUM_GROUPS": 1,
    "X3D_PREPROCESS.TIMEOUT": 1,
    "X3D_PTH2ONNX.BATCH_SIZE": 0,
    "X3D_PTH2ONNX.TOLERANCE": 0,
    "X3D_WORKERS.NUM": 0,
}

LISTS: dict[str, int] = {"DATA.MEAN": 3, "DATA.STD": 3, "DATA.TRAIN_JITTER_SCALES": 2}
"""Lists of numbers, and how many each needs."""
