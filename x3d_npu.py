"""Convert an ONNX model for an Ascend NPU, check and measure it: ATC, npu-smi and ais_bench in the order of the work.

    python x3d_npu.py plan --cfg configs/X3D_S.yaml --model x3d_s.onnx --soc 310P3

`x3d_npu.py COMMAND --help` describes a command and its options.
"""

if __name__ == "__main__":  # Ctrl-C must not interrupt the imports with a traceback
    import _signal  # type: ignore[import-not-found]

    _signal.pthread_sigmask(_signal.SIG_BLOCK, (_signal.SIGINT, _signal.SIGTERM))
    from x3d.commands import npu

    npu()

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence

from x3d.cli import guarded
from x3d.config.options import check_options

COMMANDS = (
    "plan",
    "convert",
    "check",
    "bench",
    "record",
)
"""In the order of the work; the options and the call of each are in x3d/subcommands/npu_<command>.py."""


def build_parser() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """Build the parser, and return those of the commands by name too."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"x3d.subcommands.npu_{name}")
        described = (module.__doc__ or "").partition("\n")[0]
        command = subparsers.add_parser(name, help=described, description=module.__doc__, formatter_class=raw)
        module.add_options(command)
        command.set_defaults(run=module.run)
    return parser, subparsers.choices


def main(argv: Sequence[str] | None = None) -> int:
    words = sys.argv[1:] if argv is None else argv
    parser, commands = build_parser()
    if words and words[0] in commands:
        check_options(commands[words[0]], words[1:])
    args = parser.parse_args(words)
    return guarded(lambda: int(args.run(args)))
