"""A Chinese document has the sections, commands, figures, keys and links of the English one; every link resolves."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from test.helpers import ROOT

CHINESE = ".zh-CN.md"
PAIRS = [
    (path.with_name(path.name.replace(CHINESE, ".md")), path)
    for path in sorted([*ROOT.glob(f"*{CHINESE}"), *ROOT.glob(f"docs/*{CHINESE}")])
]
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
    """Return the targets of the links, of the English documents."""
    return {target.replace(CHINESE, ".md") for target in LINK.findall(body)}


def contents() -> Iterator[tuple[str, str, str]]:
    """Yield name, English and Chinese body of every section of the Chinese documents."""
    for english, chinese in PAIRS:
        bodies = sections(english.read_text())
        for anchor, (_, body) in sections(chinese.read_text()).items():
            yield f"{chinese.name}#{anchor}", bodies[anchor][1] if anchor in bodies else "", body


def test_there_are_chinese_documents():
    assert {"README.zh-CN.md", "ascend.zh-CN.md"} <= {chinese.name for _, chinese in PAIRS}


@pytest.mark.parametrize(("english", "chinese"), PAIRS, ids=[chinese.name for _, chinese in PAIRS])
def test_the_sections_are_the_same_in_the_same_order(english, chinese):
    found = [
        [(anchor, level) for anchor, (level, _) in sections(path.read_text()).items()] for path in (english, chinese)
    ]
    assert found[0] == found[1]
    assert len(found[0]) > 8


@pytest.mark.parametrize(("name", "english", "chinese"), list(contents()))
def test_a_section_of_both_has_the_same_content(name, english, chinese):
    assert BLOCK.findall(chinese) == BLOCK.findall(english)
    assert code(chinese) == code(english)
    assert keys(chinese) == keys(english)
    assert figures(chinese) == figures(english)
    assert targets(chinese) == targets(english)


def links() -> Iterator[tuple[str, str]]:
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")]):
        name = str(path.relative_to(ROOT))
        found = sorted(set(LINK.findall(path.read_text())))
        yield from ((name, target) for target in found if not target.startswith("https://"))


@pytest.mark.parametrize(("name", "target"), list(links()))
def test_a_link_leads_to_a_file_and_a_section(name, target):
    path, _, anchor = target.partition("#")
    document = ROOT / name
    text = document.parent / path if path else document
    assert text.exists()
    assert not anchor or anchor in sections(text.read_text())
