"""Documents, docstrings, comments and messages use plain words of the field."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from test.helpers import ROOT

PHRASES = {
    r"hand(s|ed|ing)? (out|back|on)": "return, yield, pass",
    r"h[eo]ld(s|ing)? against": "compare with",
    r"held back|holds? back": "defer, block",
    r"go(es|ing)? on": "resume, continue",
    r"vouch\w*": "record the checksum of",
    r"lacking|lacks?": "missing, unmet, without",
    r"doubled": "duplicated",
    r"(is|are) (not )?there": "exists, does not exist, not found",
    r"come otherwise|as (it|they) likes?": "in another order, in any order",
    r"says|said|say so|tells?|told": "report, log, print, record, return",
    r"facts": "provenance",
    r"(become|becomes|became) of": "result, failure reason",
    r"foretells?|foretold": "predict",
    r"overheard|heard": "captured output",
    r"(last|few|without a) words?": "output, silently",
    r"let go": "release",
    r"g(i|a)ves? (it |them )?up|given up": "fail, stop",
    r"join(s|ed|ing)? (the )?views|views (are )?joined": "aggregate views",
    r"refus(e|es|ed|ing|al)": "reject, rejection",
    r"prove[ns]?|proving": "check, compare",
    r"odd (case|file|name|one|row|video)s?": "unusual",
    r"whoever|whosoever": "name the code or the user",
    r"(calls|files|frames|process|rows?|seconds|tensor|threads?|videos|views) an? "
    r"(core|file|hour|node|pathway|round|second|table|video|view|worker)": "per video, per worker, per second",
}
"""A phrase that has to be translated before it is understood, as a regular expression -> what to write instead."""

PATTERNS = {
    re.compile(rf"\b(?:{phrase})\b".replace(" ", r"\s+"), re.IGNORECASE): instead for phrase, instead in PHRASES.items()
}
SOURCES = (
    *("x3d/**/*.py", "x3d_*.py", "benchmarks/*.py", "demo/*.py", "*.sh", "*.md", "docs/*.md", "benchmarks/*.md"),
    "x3d/**/*.jinja",
)


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of everything in a file that is written for people; of Python no identifiers."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(content)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
                yield node.lineno, node.value
        for token in tokenize.generate_tokens(io.StringIO(content).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    elif path.suffix == ".md":
        yield 1, re.sub(r"```.*?```|`[^`]*`", lambda code: "\n" * code[0].count("\n"), content, flags=re.DOTALL)
    else:
        yield 1, content


def problems(path: Path) -> list[str]:
    """Name line, phrase and replacement of every listed phrase in a file."""
    return [
        f"{path}:{line + text[: match.start()].count(chr(10))}: {match[0]!r}: write {instead}"
        for line, text in texts(path)
        for pattern, instead in PATTERNS.items()
        for match in pattern.finditer(text)
    ]


@pytest.mark.parametrize("pattern", SOURCES)
def test_texts_use_plain_words(pattern):
    paths = sorted(ROOT.glob(pattern))
    assert paths
    assert [problem for path in paths for problem in problems(path)] == []


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.py", '"""Do it.\n\nIt hands\nout views.\n"""\n', [r"a.py:3: 'hands\nout': write return, yield, pass"]),
        ("a.py", "x = 1  # the odd file\n", ["a.py:1: 'odd file': write unusual"]),
        ("a.py", "def said():\n    raise ValueError(f'{1} is not there')\n", ["a.py:2: 'is not there': write exists"]),
        ("a.py", "facts = {'facts': theirs.told}\n", []),
        ("a.md", "One\n`facts` and ```\nfacts\n```\nTen views a second.\n", ["a.md:5: 'views a second': write per"]),
        ("a.sh", "# Resume\necho 'goes on'\n", ["a.sh:2: 'goes on': write resume, continue"]),
    ],
)
def test_a_phrase_is_reported_with_line_and_replacement(name, content, found, tmp_path):
    (tmp_path / name).write_text(content)
    reported = problems(tmp_path / name)
    assert len(reported) == len(found)
    for problem, expected in zip(reported, found, strict=True):
        assert problem.startswith(f"{tmp_path}/{expected}")
