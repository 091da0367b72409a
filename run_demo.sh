#!/usr/bin/env bash
# The README's commands in order, on three real videos, from list and checkpoint to the accuracy.
# x3d_s.pyth is used when it is here; otherwise synthetic weights, whose score means nothing.
set -euo pipefail
cd "$(dirname "$0")"
. ./setup_env.sh requirements.txt requirements-samples.txt

run=demo_run
rm -rf "$run"
mkdir -p "$run"
python -m demo.make_dataset "$run/Kinetics-400"
checkpoint=x3d_s.pyth
if [ ! -f "$checkpoint" ]; then
    echo "x3d_s.pyth is not here: synthetic weights are used, and the score means nothing" >&2
    checkpoint=$run/synthetic.pyth
    python -m demo.make_checkpoint configs/X3D_S.yaml "$checkpoint"
fi

set -x
python x3d_preprocess.py --cfg configs/X3D_S.yaml DATA.PATH_TO_DATA_DIR $run/Kinetics-400/ \
    DATA.PATH_PREFIX $run/Kinetics-400/val/ X3D_PREPROCESS.DATA_OUTPUT_PATH $run/prep_data/
python x3d_pth2onnx.py --cfg configs/X3D_S.yaml TEST.CHECKPOINT_FILE_PATH $checkpoint \
    X3D_PTH2ONNX.ONNX_OUTPUT_PATH $run/x3d_s.onnx
python x3d_infer.py --model $run/x3d_s.onnx --input $run/prep_data/ --output $run/ --output_dirname result_bs8 --batchsize 8
python x3d_postprocess.py --cfg configs/X3D_S.yaml DATA.PATH_TO_DATA_DIR $run/Kinetics-400/ \
    X3D_POSTPROCESS.OM_OUTPUT_PATH $run/result_bs8
