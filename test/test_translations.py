"""README.zh-CN.md has the commands, figures, keys, options and anchors of README.md, and the links of both resolve."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import takewhile

import pytest

from test.helpers import ROOT

NAMES = ("README.md", "README.zh-CN.md")
ENGLISH, CHINESE = ((ROOT / name).read_text() for name in NAMES)
NPU = "on-an-ascend-npu"
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r'^(?:<a id="(?P<anchor>[\w-]+)"></a>\n\n)?(?P<level>##+) (?P<title>.+)$', re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def sections(text: str) -> dict[str, tuple[int, str]]:
    """Split a text at its headings: anchor (GitHub's of the title, if none is given) -> level and body."""
    blank = BLOCK.sub(lambda block: re.sub(r"(?m)^#", " ", block[0]), text)
    found = list(HEADING.finditer(blank))
    ends = [heading.start() for heading in found[1:]] + [len(text)]
    parts = [
        (heading["anchor"] or slug(heading["title"]), (len(heading["level"]), text[heading.end() : end]))
        for heading, end in zip(found, ends, strict=True)
    ]
    assert len(dict(parts)) == len(parts), "two sections have one anchor"
    return dict(parts)


def slug(title: str) -> str:
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def part(text: str, first: str) -> dict[str, str]:
    """Return a section of level 2 with those within it."""
    found = iter(sections(text).items())
    [(anchor, (_, body))] = [next(item for item in found if item[0] == first)]
    return {anchor: body} | {name: body for name, (_, body) in takewhile(lambda item: item[1][0] > 2, found)}


def prose(body: str) -> str:
    """Remove blocks and targets of links."""
    return LINK.sub("]", BLOCK.sub("", body))


def code(body: str) -> set[str]:
    """Return commands, names of files, keys and options within the prose."""
    return set(re.findall(r"`([^`\n]+)`", prose(body).replace("\n", " ")))


def keys(body: str) -> set[str]:
    return set(re.findall(r"\b[A-Z][A-Z0-9_]+\.[A-Z][A-Z0-9_]+\b", body))


def figures(body: str) -> Counter[str]:
    """Count the numbers of the prose."""
    return Counter(re.findall(r"\d+(?:[.,]\d+)*", re.sub(r"`[^`]+`", "", prose(body))))


def targets(body: str) -> set[str]:
    return {target.removeprefix("README.md") for target in LINK.findall(body)}


EQUAL = [
    (anchor, ENGLISH_PART[anchor], CHINESE_PART[anchor])
    for ENGLISH_PART, CHINESE_PART in ((part(ENGLISH, first), part(CHINESE, first)) for first in ("two-commands", NPU))
    for anchor in CHINESE_PART
]


def test_the_ascend_part_has_the_same_sections():
    assert list(part(CHINESE, NPU)) == list(part(ENGLISH, NPU))
    assert len(part(ENGLISH, NPU)) > 8


def test_the_steps_are_the_same():
    assert list(part(CHINESE, "the-steps")) == list(part(ENGLISH, "the-steps"))


@pytest.mark.parametrize(("english", "chinese"), [pair[1:] for pair in EQUAL], ids=[pair[0] for pair in EQUAL])
def test_a_section_of_both_has_the_same_content(english, chinese):
    assert BLOCK.findall(chinese) == BLOCK.findall(english)
    assert code(chinese) == code(english)
    assert keys(chinese) == keys(english)
    assert figures(chinese) == figures(english)
    assert targets(chinese) == targets(english)


@pytest.mark.parametrize("anchor", part(ENGLISH, "the-steps"))
def test_a_step_repeats_the_commands_of_the_english_one(anchor):
    english, chinese = sections(ENGLISH)[anchor][1], sections(CHINESE)[anchor][1]
    assert set(BLOCK.findall(chinese)) <= set(BLOCK.findall(english))
    assert BLOCK.findall(chinese)[:1] == BLOCK.findall(english)[:1]
    assert keys(chinese) <= keys(english)
    assert code(chinese) <= code(english)
    assert figures(chinese).keys() <= figures(english).keys()


def test_everything_else_of_it_is_in_the_english_one():
    for block in BLOCK.findall(CHINESE):
        assert block in ENGLISH
    for word in code(CHINESE):
        assert word in ENGLISH.replace("\n", " ")


def links() -> Iterator[tuple[str, str]]:
    for name, text in zip(NAMES, (ENGLISH, CHINESE), strict=True):
        yield from ((name, target) for target in sorted(set(LINK.findall(text))) if not target.startswith("https://"))


@pytest.mark.parametrize(("name", "target"), list(links()))
def test_a_link_leads_to_a_file_and_a_section(name, target):
    path, _, anchor = target.partition("#")
    text = ROOT / (path or name)
    assert text.exists()
    assert not anchor or anchor in sections(text.read_text())
