"""Advise on options that a script does not have: keys with dashes, keys that do an option's work, typing errors."""

import argparse
import difflib
import sys
from collections.abc import Sequence

from x3d.config.keys import SECTIONS, UNREAD_SECTIONS, select_keys

_INSTEAD = {
    "--output": ("X3D_EVALUATE.OUTPUT_PATH", "X3D_PREPROCESS.DATA_OUTPUT_PATH", "X3D_PTH2ONNX.ONNX_OUTPUT_PATH"),
    "--model": ("X3D_EVALUATE.MODEL_PATH",),
    "--results": ("X3D_POSTPROCESS.OM_OUTPUT_PATH",),
}
"""Options of some scripts, and the keys that name the same in others."""


def check_options(parser: argparse.ArgumentParser, argv: Sequence[str] | None, reads: Sequence[str] = ()) -> None:
    """End with usage and advice if an option is unknown, before argparse reports what is missing because of it.

    Args:
        argv: None: those of the process.
        reads: the configuration's sections and keys that the script reads.
    """
    options = [option for action in parser._actions for option in action.option_strings]
    for argument in sys.argv[1:] if argv is None else argv:
        name, equals, value = argument.partition("=")
        if argument in ("--", "-h", "--help"):
            return
        if name.startswith("--") and " " not in argument and not any(option.startswith(name) for option in options):
            advice = _advise(name, value if equals else "VALUE", options, reads)
            parser.error(f"unrecognized arguments: {argument}; {advice}")


def _advise(name: str, value: str, options: Sequence[str], reads: Sequence[str]) -> str:
    key = name.removeprefix("--")
    if key.split(".")[0] in {*SECTIONS, *UNREAD_SECTIONS}:
        return f"keys have no dashes, write {key} {value}"
    for instead in set(_INSTEAD.get(name, ())) & select_keys(reads).keys():
        return f"in this script it is a key, write {instead} {value}"
    if nearest := difflib.get_close_matches(name, options, n=1):
        return f"the nearest option is {nearest[0]}"
    return "--help lists the options" + (" and keys" if reads else "")
