"""Take the README's picture of a report: the first screen of its page.

python -m test.browser.screenshot report docs/report.png
"""

import sys
from pathlib import Path

from test.browser.chromium import open_browser, open_page


def take(page_path: Path, picture: Path) -> None:
    """Write the first screen of a page as a .png."""
    with open_browser() as browser:
        open_page(browser, page_path).screenshot(path=picture)


if __name__ == "__main__":
    take(Path(sys.argv[1]) / "index.html", Path(sys.argv[2]))
