"""What the tools of Ascend NPUs print, as public documents and issues show it."""

import random
from collections.abc import Iterator

RECIPE = """
    +-------------------+-----------------+------------------------------------------------------+
    | NPU     Name      | Health          | Power(W)     Temp(C)           Hugepages-Usage(page) |
    | Chip    Device    | Bus-Id          | AICore(%)    Memory-Usage(MB)                        |
    +===================+=================+======================================================+
    | 0       310P3     | OK              | 15.8         42                0    / 0              |
    | 0       0         | 0000:82:00.0    | 0            1074 / 21534                            |
    +===================+=================+======================================================+
    | 1       310P3     | OK              | 15.4         43                0    / 0              |
    | 0       1         | 0000:89:00.0    | 0            1070 / 21534                            |
    +===================+=================+======================================================+
"""
"""The README of the recipe: Ascend ModelZoo-PyTorch, X3D."""

OLD_310P = """
+--------------------------------------------------------------------------------------------+
| npu-smi 22.0.0                       Version: 22.0.2                                       |
+-------------------+-----------------+------------------------------------------------------+
| NPU     Name      | Health          | Power(W)     Temp(C)           Hugepages-Usage(page) |
| Chip    Device    | Bus-Id          | AICore(%)    Memory-Usage(MB)                        |
+===================+=================+======================================================+
| 0       310P3     | OK              | 16.3         53                1236 / 1236           |
| 0       0         | 0000:86:00.0    | 0            4060 / 21534                            |
+===================+=================+======================================================+
"""
"""A README of Ascend ModelZoo-PyTorch (SETR); npu-smi and driver have different versions."""

IDLE_310P = """\
$ npu-smi info
+--------------------------------------------------------------------------------------------------------+
| npu-smi 23.0.0                                   Version: 23.0.0                                       |
+-------------------------------+-----------------+------------------------------------------------------+
| NPU     Name                  | Health          | Power(W)     Temp(C)           Hugepages-Usage(page) |
| Chip    Device                | Bus-Id          | AICore(%)    Memory-Usage(MB)                        |
+===============================+=================+======================================================+
| 24      310P3                 | OK              | NA           29                0     / 0             |
| 0       0                     | 0000:04:00.0    | 0            1832 / 21527                            |
+===============================+=================+======================================================+
+-------------------------------+-----------------+------------------------------------------------------+
| NPU     Chip                  | Process id      | Process name             | Process memory(MB)        |
+===============================+=================+======================================================+
| No running processes found in NPU 24                                                                   |
+===============================+=================+======================================================+
"""
"""A blog on ATC with a 310P3 (channy)."""

DUO_310P = """\
+--------------------------------------------------------------------------------------------------------+
| npu-smi 25.2.0                                   Version: 25.2.0                                       |
+-------------------------------+-----------------+------------------------------------------------------+
| NPU     Name                  | Health          | Power(W)     Temp(C)           Hugepages-Usage(page) |
| Chip    Device                | Bus-Id          | AICore(%)    Memory-Usage(MB)                        |
+===============================+=================+======================================================+
| 3       310P3                 | OK              | NA           69                0     / 0             |
| 0       2                     | 0000:03:00.0    | 0            1666 / 44216                            |
+-------------------------------+-----------------+------------------------------------------------------+
| 3       310P3                 | OK              | NA           67                0     / 0             |
| 1       3                     | 0000:03:00.0    | 0            1260 / 43757                            |
+===============================+=================+======================================================+
| 5       310P3                 | OK              | NA           72                16    / 16            |
| 0       4                     | 0000:81:00.0    | 0            1691 / 44216                            |
+-------------------------------+-----------------+------------------------------------------------------+
| 5       310P3                 | OK              | NA           69                8     / 8             |
| 1       5                     | 0000:81:00.0    | 0            1381 / 43757                            |
+===============================+=================+======================================================+
+-------------------------------+-----------------+------------------------------------------------------+
| NPU     Chip                  | Process id      | Process name             | Process memory(MB)        |
+===============================+=================+======================================================+
| No running processes found in NPU 3                                                                    |
+===============================+=================+======================================================+
| 5       0                     | 904545          | python3                  | 101                       |
| 5       0                     | 917047          | mindie_llm_back          | 101                       |
| 5       1                     | 904546          | python3                  | 100                       |
+===============================+=================+======================================================+
"""
"""vllm-ascend issue 2416, an Atlas 300I Duo; two of its four cards."""

ALARM_310B = """
+--------------------------------------------------------------------------------------------------------+\x20
| npu-smi 23.0.0                                   Version: 23.0.0                                       |\x20
+-------------------------------+-----------------+------------------------------------------------------+\x20
| NPU     Name                  | Health          | Power(W)     Temp(C)           Hugepages-Usage(page) |\x20
| Chip    Device                | Bus-Id          | AICore(%)    Memory-Usage(MB)                        |\x20
+===============================+=================+======================================================+\x20
| 0       310B4                 | Alarm           | 0.0          65                15    / 15            |\x20
| 0       0                     | NA              | 0            3628 / 15609                            |\x20
+===============================+=================+======================================================+\x20
"""
"""A public test of another parser, an Atlas 200I A2; each line ends with a space."""

IDLE_310B = """\
+----------------------------------------------------------------------------------------+
| npu-smi 23.0.rc3                                 Version: 23.0.rc3                     |
+--------------------+------------+------------------------------------------------------+
| NPU     Name       | Health     | Power(W)     Temp(C)           Hugepages-Usage(page) |
| Chip    Device     | Bus-Id     | AICore(%)    Memory-Usage(MB)                        |
+====================+============+======================================================+
| 0       310B4      | OK         | 7.7          54                15    / 15            |
| 0       0          | NA         | 0            2166 / 3513                             |
+====================+============+======================================================+
"""
"""A report on an Atlas 200I DK A2, with narrow columns."""

OLD_310 = """\
+--------------------------------------------------------------------------------------------------------+
| npu-smi 22.0.4                                   Version: 22.0.4                                       |
+-------------------------------+-----------------+------------------------------------------------------+
| NPU     Name                  | Health          | Power(W)     Temp(C)           Hugepages-Usage(page) |
| Chip    Device                | Bus-Id          | AICore(%)    Memory-Usage(MB)                        |
+===============================+=================+======================================================+
| 0       310                   | OK              | 12.8         51                0     / 187           |
| 0       0                     | NA              | 0            NA / 7757                               |
+===============================+=================+======================================================+
"""
"""Notes on an Atlas 200; its memory in use as the tool's source prints it where the driver gives none."""

BUSY_910B = """\
+------------------------------------------------------------------------------------------------------------------+
| npu-smi 26.0.rc1                            Version: 26.0.rc1                                                    |
+---------------------------+---------------+----------------------------------------------------------------------+
| NPU   Name                | Health        | Power(W)             Temp(C)                 Hugepages-Usage(page)   |
| Chip                      | Bus-Id        | AICore(%)            Memory-Usage(MB)        HBM-Usage(MB)           |
+===========================+===============+======================================================================+
| 0     910B3               | OK            | 90.7                 37                      0    / 0                |
| 0                         | 0000:C1:00.0  | 7                    0    / 0                53984/ 65536            |
+===========================+===============+======================================================================+
| 1     910B3               | OK            | 96.9                 36                      0    / 0                |
| 0                         | 0000:C2:00.0  | 42                   0    / 0                52314/ 65536            |
+===========================+===============+======================================================================+
+---------------------------+---------------+----------------------------------------------------------------------+
| NPU     Chip              | Process id    | Process name       | Process memory(MB)    | Process id in container |
+===========================+===============+======================================================================+
| 0       0                 | 1712733       | sglangschedul      | 48954                 | NA                      |
+===========================+===============+======================================================================+
| No running processes found in NPU 1                                                                              |
+===========================+===============+======================================================================+
"""
"""A public test of a monitor of servers; with wider columns and one more column of processes."""

IDLE_910B = """\
+------------------------------------------------------------------------------------------------+
| npu-smi 23.0.7                   Version: 23.0.7                                               |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 2     910B4               | OK            | 88.9        39                0    / 0             |
| 0                         | 0000:C2:00.0  | 0           0    / 0          2858 / 32768         |
+===========================+===============+====================================================+
"""
"""vllm-ascend issue 198 and a guide of PTO; without processes."""

HYPHEN_910B = """\
+------------------------------------------------------------------------------------------------+
| npu-smi 24.1.rc2                 Version: 24.1.rc2                                             |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                      | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 0     910B4-1             | OK            | 96.4        41                0    / 0             |
| 0                         | 0000:C1:00.0  | 0           0    / 0          2867 / 65536         |
+===========================+===============+====================================================+
"""
"""The columns of IDLE_910B with the name that npu-smi shows of an Ascend910B4-1."""

FIRST_910 = """\
+-------------------------------------------------------------------------------------------+
| npu-smi 22.0.4.1                 Version: 22.0.4.1                                        |
+----------------------+---------------+----------------------------------------------------+
| NPU   Name           | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip                 | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+======================+===============+====================================================+
| 0     910B           | OK            | 79.4        82                0    / 0             |
| 0                    | 0000:81:00.0  | 0           1979 / 15039      0    / 32768         |
+======================+===============+====================================================+
"""
"""openEuler's guide of gmem: a 910 of the first generation, which has both memories."""

WARNING_910_93 = """\
+------------------------------------------------------------------------------------------------+
| npu-smi 24.1.rc3.7               Version: 24.1.rc3.7                                           |
+---------------------------+---------------+----------------------------------------------------+
| NPU   Name                | Health        | Power(W)    Temp(C)           Hugepages-Usage(page)|
| Chip  Phy-ID              | Bus-Id        | AICore(%)   Memory-Usage(MB)  HBM-Usage(MB)        |
+===========================+===============+====================================================+
| 2     Ascend910           | OK            | 176.3       36                0    / 0             |
| 0     4                   | 0000:95:00.0  | 0           0    / 0          3411 / 65536         |
+------------------------------------------------------------------------------------------------+
| 2     Ascend910           | Warning       | -           36                0    / 0             |
| 1     5                   | 0000:97:00.0  | 0           0    / 0          3208 / 65536         |
+===========================+===============+====================================================+
+---------------------------+---------------+----------------------------------------------------+
| NPU     Chip              | Process id    | Process name             | Process memory(MB)      |
+===========================+===============+====================================================+
| No running processes found in NPU 2                                                            |
+===========================+===============+====================================================+
[WARNING]The driver package may not be completely installed, which may cause function abnormal. Please reinstall it.
"""
"""vllm-ascend issues with Atlas A3; health and last line as ZStack's test and the tool's source show them."""

IDLE_950 = """\
+-------------------------------------------------------------------------------------------------+
| npu-smi 26.0.0                                    Version: 26.0.0                               |
+--------+------------------+---------------+-----------------------------------------------------+
| NPU ID | Name             | Health        | Power(W)    Temp(C)           Hugepages-Usage(page) |
|        |                  | Bus-Id        | NPU Util(%) Memory-Usage(MB)  HBM-Usage(MB)         |
+========+==================+===============+=====================================================+
| 0      | Ascend950PR      | OK            | 182.0       36                0     / 0             |
|        |                  | NA            | 0           0    / 0          3402  / 114688        |
+========+==================+===============+=====================================================+
+---------------------------+---------------+-----------------------------------------------------+
| NPU ID                    | Process id    | Process name             | Process memory(MB)       |
+===========================+===============+=====================================================+
| 0                         | 4711          | python                   | 128                     |
+===========================+===============+=====================================================+
"""
"""The tool's source, which prints these columns for the 950."""

TABLES = {name: text for name, text in globals().items() if isinstance(text, str) and "Power(W)" in text}
"""All of them by name."""

ATC_SUCCESS = """\
ATC start working now, please wait for a moment.
...
ATC run success, welcome to the next use.

"""
"""Any README with ATC."""

_ATC_FAILED = """\
ATC start working now, please wait for a moment.
...
ATC run failed, Please check the detail log, Try 'atc --help' for more information
"""

ATC_FAILURES = {
    "E10001": _ATC_FAILED
    + "E10001: Value [-1] for parameter [input_2] is invalid. Reason: maybe you should set input_shape to specify its "
    "shape.\n",
    "E10007": _ATC_FAILED
    + "E10007: [PID: 10490] 2025-03-18-09:02:18.501.341 [--framework] is required. The value must be [0(Caffe) or "
    "1(MindSpore) or 3(TensorFlow) or 5(Onnx)].\n",
    "E19010": _ATC_FAILED + "E19010: No parser is registered for Op [model1 div node, optype [ai.onnx::23::Div]].\n",
    "E40000": _ATC_FAILED + "E40000: Failed to import te.platform.log_util.\n",
    "EC0010": _ATC_FAILED
    + "EC0010: [PID: 129520] 2025-07-08-10:25:28.680.962 Failed to import Python module [ModuleNotFoundError: No "
    "module named 'decorator'.].\n        Solution: Check that all required components are properly installed.\n",
    "EZ3003": _ATC_FAILED + "EZ3003: No supported Ops kernel and engine are found for [AddDsl], optype [AddDsl].\n"
    "        Possible Cause: The operator is not supported by the system.\n",
    "E19999": _ATC_FAILED
    + "E19999: Inner Error!\nE19999  [Remove][Node] of Mul_7 failed[FUNC:Run][FILE:base_pass.cc][LINE:88]\n"
    "        TraceBack (most recent call last):\n        Optimize graph failed\n",
    "EZ9999": _ATC_FAILED
    + "EZ9999: Inner Error!\nEZ9999: [PID: 4711] 2024-05-21-10:20:30.123.456 [InferShape] of Conv3D_1 failed"
    "[FUNC:Infer][FILE:conv.cc][LINE:7]\n        TraceBack (most recent call last):\n",
}
"""Of blogs and of issues of Ascend/samples, by the first error; inner errors in the form of those of torch_npu."""

ATC_NO_DRIVER = (
    "/usr/local/Ascend/ascend-toolkit/8.0.0/x86_64-linux/bin/atc.bin: error while loading shared libraries: "
    "libascend_hal.so: cannot open shared object file: No such file or directory\n"
)
"""A blog on a host without the driver's libraries on its path."""

AIS_BENCH = """\
[INFO] acl init success
[INFO] open device 0 success
[INFO] load model pth_resnet50_bs1.om success
[INFO] create model description success
[INFO] try get model batchsize:64
[INFO] warm up 1 done
Inference array Processing:   0%|          | 0/1 [00:00<?, ?it/s]\rInference array Processing: 100%|#| 1/1 [00:01<00:00]
[INFO] -----------------Performance Summary------------------
[INFO] NPU_compute_time (ms): min = 431.9490051269531, max = 432.24200439453125, mean = 432.0568511962891, median = \
432.0480041503906, percentile(99%) = 432.2307962036133
[INFO] throughput 1000*batchsize.mean(64)/NPU_compute_time.mean(432.0568511962891): 148.1286544184991
[INFO] ------------------------------------------------------
[INFO] unload model success, model Id is 1
[INFO] end to destroy context
[INFO] end to reset device is 0
[INFO] end to finalize acl
"""
"""The guide of msit benchmark, with the figures of ALTGVT's README."""

AIS_BENCH_ALL = """\
[INFO] --------------------Performance Summary--------------------
[INFO] H2D_latency (ms): min = 8.71133804321289, max = 26.23581886291504, mean = 11.305984884205431, median = \
11.35861873626709, percentile(99%) = 13.030257225036623
[INFO] NPU_compute_time (ms): min = 10.550000190734863, max = 11.541000366210938, mean = 10.64112376694632, median = \
10.59749984741211, percentile(99%) = 11.324420213699343
[INFO] D2H_latency (ms): min = 11.521100997924805, max = 84.31458473205566, mean = 19.492230793037038, median = \
17.60232448577881, percentile(99%) = 32.75656223297119
[INFO] throughput 1000*batchsize(16)/NPU_compute_time.mean(10.64112376694632): 1503.6005924204671
"""
"""A README of Ascend ModelZoo-PyTorch (Retinaface), with the times of the copies, of an earlier ais_bench."""

AIS_INFER = """\
[INFO] load model /home/user/sMLPNet-T-batch1-high.om success
[INFO] create model description success
[INFO] output path:test/2022_07_09-18_23_06
Inference Processing task: 100%|#############| 1/1 [00:00<00:00, 21.29it/s]
[INFO] -----------------Performance Summary------------------
[INFO] H2D_latency (ms): min = 0.2384185791015625, max = 0.2384185791015625, mean = 0.2384185791015625, median = \
0.2384185791015625, percentile(99%) = 0.2384185791015625
[INFO] NPU_compute_time (ms): min = 5.828554630279541, max = 5.828554630279541, mean = 5.828554630279541, median = \
5.828554630279541, percentile(99%) = 5.828554630279541
[INFO] D2H_latency (ms): min = 0.08606910705566406, max = 0.08606910705566406, mean = 0.08606910705566406, median = \
0.08606910705566406, percentile(99%) = 0.08606910705566406
[INFO] throughput (1000*batchsize/NPU_compute_time): 171.5691219234638
[INFO] ------------------------------------------------------
[INFO] unload model success, model Id is 1
DestroyDevices begindestory device:0
aclrtDestroyContext successfully!
DestroyDevices successfully
"""
"""A README of Ascend ModelZoo-PyTorch (sMLPNet) with ais_infer."""

AIS_BENCH_DEVICES = """\
[INFO] multidevice:[1, 2] run begin
[INFO] -----------------Performance Summary------------------
[INFO] NPU_compute_time (ms): min = 2.4769999980926514, max = 3.937000036239624, mean = 3.5538000106811523, median = \
3.7230000495910645, percentile(99%) = 3.936680030822754
[INFO] throughput 1000*batchsize.mean(1)/NPU_compute_time.mean(3.5538000106811523): 281.38893494131406
[INFO] ------------------------------------------------------
[INFO] -----------------Performance Summary------------------
[INFO] NPU_compute_time (ms): min = 3.3889999389648438, max = 3.9230000972747803, mean = 3.616000032424927, median = \
3.555000066757202, percentile(99%) = 3.9134000968933105
[INFO] throughput 1000*batchsize.mean(1)/NPU_compute_time.mean(3.616000032424927): 276.54867008654026
[INFO] ------------------------------------------------------
[INFO] unload model success, model Id is 1
[INFO] unload model success, model Id is 1
[INFO] multidevice run end qsize:4 result:1
i:0 device_1 throughput:281.38893494131406 start_time:1676875630.804429 end_time:1676875630.8303885
i:1 device_2 throughput:276.54867008654026 start_time:1676875630.8043878 end_time:1676875630.8326817
[INFO] summary throughput:557.9376050278543
"""
"""The guide of ais_bench on several devices."""

AIS_BENCH_THREADS = """\
[INFO] -----------------Performance Summary------------------
[INFO] NPU_compute_time (ms): mean = 2.6
[INFO] throughput 1000*batchsize.mean(8)/NPU_compute_time.mean(2.6): 3076.923076923077
[INFO] ------------------------------------------------------
"""
"""What ais_bench of 2023 prints with --threads, by its source."""

AIS_BENCH_UPSTREAM = """\
[WARNING] aclruntime version:None is lower please update aclruntime follow any one method
[WARNING] 1. visit https://github.com/Ascend/tools/tree/master/ais-bench_workload/tool/ais_bench to install
[INFO] output path:./result_bs8
[INFO] get filesperbatch files0 size:5167344 tensor0size:41338752 filesperbatch:8 runcount:45
[INFO] warm up 1 done
Inference tensor Processing:   0%|          | 0/45 [00:00<?, ?it/s]\rInference tensor Processing: 100%|#| 45/45 [00:06]
[INFO] -----------------Performance Summary------------------
[INFO] NPU_compute_time (ms): min = 92.3714509990532, max = 170.97769099927973, mean = 98.37652220060893, median = \
95.06574999977602, percentile(99%) = 152.47041319846184
[INFO] throughput 1000*batchsize.mean(8)/NPU_compute_time.mean(98.37652220060893): 81.32021564745335
[INFO] ------------------------------------------------------
"""
"""ais_bench of Ascend/tools 9d6da90 over ONNX Runtime, with 360 views."""

AIS_BENCH_UPSTREAM_DEVICES = """\
[INFO] multidevice:[0, 1] run begin
[INFO] subprocess_1 main run
[INFO] subprocess_0 main run
[INFO] warm up 1 done
[INFO] warm up 1 done
[INFO] subprocess_0 qsize:0 now waiting
[INFO] subprocess_1 qsize:1 now waiting
[INFO] subprocess_1 qsize:2 ready to infer run
[INFO] subprocess_0 qsize:2 ready to infer run
Inference tensor Processing:   0%|          | 0/1 [00:00<?, ?it/s][INFO] -------------Performance Summary-----------
[INFO] H2D_latency (ms): min = 0.0, max = 0.0, mean = 0.0, median = 0.0, percentile(99%) = 0.0
[INFO] NPU_compute_time (ms): min = 0.7457120009348728, max = 17.789261997677386, mean = 6.449101664960229, median = \
0.8123309962684289, percentile(99%) = 17.449723377649207
[INFO] D2H_latency (ms): min = 0.0, max = 0.0, mean = 0.0, median = 0.0, percentile(99%) = 0.0
[INFO] throughput 1000*batchsize.mean(4)/NPU_compute_time.mean(6.449101664960229): 620.2414239696542
[INFO] ------------------------------------------------------
Inference tensor Processing: 100%|##########| 1/1 [00:06<00:00,  6.18s/it]
[INFO] -----------------Performance Summary------------------
[INFO] H2D_latency (ms): min = 0.0, max = 0.0, mean = 0.0, median = 0.0, percentile(99%) = 0.0
[INFO] NPU_compute_time (ms): min = 1.0016939995693974, max = 434.3069730020943, mean = 146.97273466542052, median = \
5.609536994597875, percentile(99%) = 425.7330242819444
[INFO] D2H_latency (ms): min = 0.0, max = 0.0, mean = 0.0, median = 0.0, percentile(99%) = 0.0
[INFO] throughput 1000*batchsize.mean(4)/NPU_compute_time.mean(146.97273466542052): 27.215932323133895
[INFO] ------------------------------------------------------
[INFO] multidevice run end qsize:4 result:0
i:1 device_1 throughput:620.2414239696542 start_time:1795676666.6103966 end_time:1795676668.3637002
i:0 device_0 throughput:27.215932323133895 start_time:1795676667.8368914 end_time:1795676674.4755442
[INFO] summary throughput:647.4573562927881
"""
"""The same on two devices, with `--loop 3 --display_all_summary True`; the device that ends first comes first."""

AIS_BENCH_UPSTREAM_SPLIT = """\
[ERROR] arg0 tensorsize: 2583672 filesize: 5167344 not match
Traceback (most recent call last):
  File "ais_bench/infer/io_oprations.py", line 84, in get_files_count_per_batch
    raise RuntimeError()
RuntimeError
"""
"""The same, with a float32 view for an .om of batch size 1 that takes float16; that of a batch size of 8 runs."""

AIS_BENCH_DEVICE_SUMMARIES = [
    """\
{"filesinfo": {"0": {"infiles": ["prep_data/0_7.npy"], "outfiles": ["./result/device0/0_7_0.bin"]}, "1": {"infiles":
["prep_data/1_7.npy"], "outfiles": ["./result/device0/1_7_0.bin"]}}, "args":
["/usr/lib/python3/ais_bench/__main__.py", "--model", "x3d_s_bs1.om", "--input", "prep_data", "--output", "./",
"--output_dirname", "result", "--device", "0,1"], "NPU_compute_time": {"min": 0.7580099991173483, "max":
154.6862629984389, "mean": 77.72213649877813, "median": 77.72213649877813, "percentile(99%)": 153.14698046844566,
"count": 2}, "H2D_latency": {"min": 0.0, "max": 0.0, "mean": 0.0, "median": 0.0, "percentile(99%)": 0.0, "count": 0},
"D2H_latency": {"min": 0.0, "max": 0.0, "mean": 0.0, "median": 0.0, "percentile(99%)": 0.0, "count": 0}, "throughput":
12.866347285959144, "npu_compute_time_list": [0.7580099991173483, 154.6862629984389], "pid": 21642}
""",
    """\
{"filesinfo": {"0": {"infiles": ["prep_data/2_5.npy"], "outfiles": ["./result/device1/2_5_0.bin"]}, "1": {"infiles":
["prep_data/3_5.npy"], "outfiles": ["./result/device1/3_5_0.bin"]}}, "args":
["/usr/lib/python3/ais_bench/__main__.py", "--model", "x3d_s_bs1.om", "--input", "prep_data", "--output", "./",
"--output_dirname", "result", "--device", "0,1"], "NPU_compute_time": {"min": 0.7191219992819242, "max":
0.8405940025113523, "mean": 0.7798580008966383, "median": 0.7798580008966383, "percentile(99%)": 0.8393792824790581,
"count": 2}, "H2D_latency": {"min": 0.0, "max": 0.0, "mean": 0.0, "median": 0.0, "percentile(99%)": 0.0, "count": 0},
"D2H_latency": {"min": 0.0, "max": 0.0, "mean": 0.0, "median": 0.0, "percentile(99%)": 0.0, "count": 0}, "throughput":
1282.2847221548723, "npu_compute_time_list": [0.8405940025113523, 0.7191219992819242], "pid": 21641}
""",
]
"""`device0_summary.json` and `device1_summary.json` in the folder of results, shortened to two views each."""

AIS_INFER_SUMMARIES = {
    16: """\
{"filesinfo": {"0": {"infiles": ["./prep_data/0.bin"], "outfiles": ["lcmout/2022_07_09-18_23_06/0_0.bin"]}},
"NPU_compute_time": {"min": 3.8949999809265137, "max": 81.9729995727539, "mean": 4.652794558563232,
"median": 3.9760000705718994, "percentile(99%)": 9.564919853210439},
"H2D_latency": {"min": 1.6279220581054688, "max": 43.206214904785156, "mean": 4.154865646362305,
"median": 1.985788345336914, "percentile(99%)": 18.392877578735302},
"D2H_latency": {"min": 0.045299530029296875, "max": 17.41957664489746, "mean": 0.7445654296875,
"median": 0.10347366333007812, "percentile(99%)": 5.664710998535149},
"throughput": 3438.7935677393734}
""",
    1: """\
{"filesinfo": {}, "NPU_compute_time": {"min": 14.676570892333984, "max": 18.673419952392578,
"mean": 16.08246865272522, "median": 15.99884033203125, "percentile(99%)": 17.815630435943604},
"H2D_latency": {"min": 0.8842945098876953, "max": 9.976387023925781, "mean": 0.9730440616607666,
"median": 0.9641647338867188, "percentile(99%)": 1.1441969871521003},
"D2H_latency": {"min": 0.02193450927734375, "max": 0.1983642578125, "mean": 0.05659308433532715,
"median": 0.054836273193359375, "percentile(99%)": 0.11205911636352545},
"throughput": 62.17950873049252}
""",
}
"""sumary.json of READMEs of Ascend ModelZoo-PyTorch (GhostNet and NAS-FPN), by batch size; without its counts."""


def damaged(text: str, number: int) -> Iterator[str]:
    """Yield copies of a text, each with a part cut out, repeated, replaced by an unusual character, or its end lost."""
    generator = random.Random(0)
    for _ in range(number):
        start = generator.randrange(len(text))
        stop = min(len(text), start + generator.randrange(1, 80))
        part = generator.choice(["", text[start:stop] * 2, generator.choice("\0|+-/.9\n\u2028\u0661")])
        yield text[:start] + generator.choice([part + text[stop:], part])
