"""Write the configuration keys into `--help`, the table of docs/reference.md and the nodes of x3d.patch.

    python -m x3d.config.tables [--check]

Rewrites docs/reference.md and x3d.patch from x3d/config/keys.py. With --check nothing is written, and the exit status
is 1 if one of them differs.
"""

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from x3d.config.key import spell
from x3d.config.keys import SECTIONS, added_defaults, select_keys
from x3d.errors import InputError

ROOT = Path(__file__).parent.parent.parent
REFERENCE = "docs/reference.md"
_KEY_TABLE = re.compile(r"(<!-- configuration keys -->\n).*?(<!-- end -->)", re.DOTALL)
_PATCH_HUNKS = re.compile(
    r"@@ -5,2 \+5,\d+ @@\n(?P<before>[^@]*\+X3D_NODES = \{\n).*?(?P<after>\+\}\n[^@]*)@@ -8,2 \+\d+,3 @@", re.DOTALL
)


def keys_help(reads: Iterable[str]) -> str:
    """List keys for `--help`: name, default and accepted values, then the meaning.

    Args:
        reads: the sections and keys that a script reads, as for select_keys.
    """
    lines = []
    for name, key in select_keys(reads).items():
        accepts = f"; accepts {key.limits}" if key.limits else ""
        lines += [f"  {name} (default: {spell(key.default)}{accepts})", f"        {key.description}"]
    return "\n".join(["configuration keys:", *lines]) if lines else ""


def key_table() -> str:
    """Format the Markdown table of all keys that this suite reads."""
    rows = [
        f"| {name} | {spell(key.default)} | {key.limits} | {key.description} |\n"
        for name, key in select_keys(SECTIONS).items()
    ]
    return "| key | default | accepts | meaning |\n|---|---|---|---|\n" + "".join(rows)


def fill_reference(text: str) -> str:
    """Replace the key table of docs/reference.md.

    Raises:
        InputError: the text has no place for it.
    """
    return _replace_once(_KEY_TABLE, lambda match: f"{match[1]}\n{key_table()}\n{match[2]}", text)


def fill_patch(text: str) -> str:
    """Replace the keys of this suite in the patch of PySlowFast, and the line numbers that depend on them.

    Raises:
        InputError: the text has no place for them.
    """
    nodes = []
    for section, keys in added_defaults().items():
        values = [f'+        "{name}": {spell(default)},\n' for name, default in keys.items()]
        nodes += [f'+    "{section}": {{\n', *values, "+    },\n"]

    def replace(match: re.Match[str]) -> str:
        lines = match["before"] + "".join(nodes) + match["after"]
        num_added = lines.count("\n+")
        return f"@@ -5,2 +5,{2 + num_added} @@\n{lines}@@ -8,2 +{8 + num_added},3 @@"

    return _replace_once(_PATCH_HUNKS, replace, text)


def _replace_once(pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], text: str) -> str:
    replaced, count = pattern.subn(replace, text)
    if count != 1:
        raise InputError(f"one place to fill is needed, found {count}: {pattern.pattern}")
    return replaced


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file differs")
    args = parser.parse_args(argv)
    stale = []
    for name, fill in {REFERENCE: fill_reference, "x3d.patch": fill_patch}.items():
        path = ROOT / name
        before = path.read_text(encoding="utf-8")
        after = fill(before)
        if before != after:
            stale.append(name)
            if not args.check:
                path.write_text(after, encoding="utf-8")
    if args.check and stale:
        print(f"differ from x3d/config/keys.py: {', '.join(stale)}; run python -m x3d.config.tables", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
