#!/usr/bin/env bash
# Run the README's commands from list and checkpoint to the accuracy, with files and by streaming; compare both, report.
# Data: x3d_s.pyth and Kinetics-400/ in this folder if both exist, else generated clips and the demo's checkpoint.
set -euo pipefail
unset CDPATH
cd -- "$(dirname -- "$0")"
exec 8<.  # locked until this and what it started have ended
flock --nonblock 8 || { echo "another run_demo.sh is running in $PWD; wait for it" >&2; exit 2; }
. ./setup_env.sh requirements.txt

run=demo_run marker=demo_run/.made_by_run_demo
if [ -L "$run" ] || { [ -e "$run" ] && [ ! -f "$marker" ]; }; then
    echo "$PWD/$run was not made by this script; move it elsewhere, or remove it" >&2
    exit 2
fi
rm -rf "$run"
mkdir "$run"
touch "$marker"
if [ -f x3d_s.pyth ] && [ -f Kinetics-400/test.csv ]; then
    cfg=configs/X3D_S.yaml checkpoint=x3d_s.pyth data=Kinetics-400
    expected="about 73.5 top-1, X3D-S's published accuracy" names="" verdicts="0 3"
else
    cfg=configs/X3D_DEMO.yaml checkpoint=demo/x3d_demo.pyth data=$run/Kinetics-demo
    expected="at least 95 top-1: 32 fresh clips of 16 classes the demo's network was trained for"
    names="DATA.CLASS_NAMES $data/classes.txt" verdicts=3  # UNDECIDED: 32 videos are too few
    python -m demo.make_videos "$data" --num 32 --seed 2026
fi

set -x
python x3d_preprocess.py --cfg $cfg DATA.PATH_TO_DATA_DIR $data/ DATA.PATH_PREFIX $data/val/ \
    X3D_PREPROCESS.DATA_OUTPUT_PATH $run/prep_data/
python x3d_pth2onnx.py --cfg $cfg TEST.CHECKPOINT_FILE_PATH $checkpoint X3D_PTH2ONNX.ONNX_OUTPUT_PATH $run/x3d.onnx
python x3d_infer.py --model $run/x3d.onnx --input $run/prep_data/ --output $run/ --output_dirname result_bs8 --batchsize 8
python x3d_postprocess.py --cfg $cfg DATA.PATH_TO_DATA_DIR $data/ $names \
    X3D_POSTPROCESS.OM_OUTPUT_PATH $run/result_bs8
python x3d_evaluate.py --cfg $cfg DATA.PATH_TO_DATA_DIR $data/ DATA.PATH_PREFIX $data/val/ $names \
    X3D_EVALUATE.MODEL_PATH $run/x3d.onnx X3D_EVALUATE.OUTPUT_PATH $run/eval/ >$run/line.json
status=0
python x3d_compare.py --cfg $cfg --reference $run/result_bs8 --candidate $run/eval DATA.PATH_TO_DATA_DIR $data/ $names \
    >&2 || status=$?
python x3d_report.py --cfg $cfg --results $run/eval --output $run/report --compare $run/result_bs8 \
    DATA.PATH_TO_DATA_DIR $data/ $names >&2
{ set +x; } 2>/dev/null
if [[ " $verdicts " != *" $status "* ]]; then
    echo "x3d_compare.py ended with status $status instead of ${verdicts/ / or }; its log is above" >&2
    exit 1
fi
cat $run/line.json
echo "expected: $expected" >&2
echo "report: $PWD/$run/report/index.html" >&2
