"""The commands: each runs a script, with Ctrl-C handled before anything else is imported."""

from typing import NoReturn

from x3d.signals import begin_script


def list() -> NoReturn:
    """Run x3d_list.py."""
    _run("x3d_list")


def preprocess() -> NoReturn:
    """Run x3d_preprocess.py."""
    _run("x3d_preprocess")


def pth2onnx() -> NoReturn:
    """Run x3d_pth2onnx.py."""
    _run("x3d_pth2onnx")


def infer() -> NoReturn:
    """Run x3d_infer.py."""
    _run("x3d_infer")


def postprocess() -> NoReturn:
    """Run x3d_postprocess.py."""
    _run("x3d_postprocess")


def evaluate() -> NoReturn:
    """Run x3d_evaluate.py."""
    _run("x3d_evaluate")


def compare() -> NoReturn:
    """Run x3d_compare.py."""
    _run("x3d_compare")


def predict() -> NoReturn:
    """Run x3d_predict.py."""
    _run("x3d_predict")


def verify() -> NoReturn:
    """Run x3d_verify.py."""
    _run("x3d_verify")


def report() -> NoReturn:
    """Run x3d_report.py."""
    _run("x3d_report")


def npu() -> NoReturn:
    """Run x3d_npu.py."""
    _run("x3d_npu")


def _run(script: str) -> NoReturn:
    """Run the main function of a script, which is also the process's main module if it was started as a file."""
    begin_script()
    from importlib import import_module

    from x3d.console import end

    end(import_module(script).main())
