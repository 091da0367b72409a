"""Parse a page of HTML, for tests of its structure and its texts."""

import re
from html.parser import HTMLParser

Element = tuple[str, dict[str, str | None]]

VOID = {"meta", "input", "br", "wbr"}


class Document(HTMLParser):
    """The elements and texts of a page, each text with the elements around it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.texts: list[tuple[list[Element], str]] = []
        self.open: list[Element] = []
        self.feed(html)
        self.close()
        assert not self.open, f"unclosed elements: {self.open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(self.elements[-1])
            self.texts.append((list(self.open), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag
        self.texts.append((list(self.open), ""))

    def handle_data(self, data: str) -> None:
        around, before = self.texts.pop() if self.texts else ([], "")
        self.texts.append((around, before + data))

    def content(self, tag: str) -> list[str]:
        """The texts directly within elements of a tag."""
        return [text for around, text in self.texts if text and around and around[-1][0] == tag]

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def text(self) -> str:
        """What a reader sees."""
        hidden = ("style", "script", "title", "desc")
        seen = (text for around, text in self.texts if not any(name in hidden for name, _ in around))
        return re.sub(r"\s+", " ", " ".join(seen).replace("\u202f", " "))
