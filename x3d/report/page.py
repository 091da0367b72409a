"""Render index.html, the report as one page without any other file, from the values of report.json alone.

Names and paths are untrusted: they are escaped as text, and the policy of the page runs no script but its own.
"""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from x3d.files import printable
from x3d.report import charts, formats, marks
from x3d.report.findings import checked_without_finding

TEMPLATES = Path(__file__).parent / "templates"
SECTIONS = {
    "comparison": "Comparison",
    "flips": "Videos that flip",
    "classes": "Classes",
    "confusions": "Confusion pairs",
    "calibration": "Calibration",
    "coverage": "Accuracy against coverage",
    "views": "Agreement of views",
    "failures": "Failed videos",
    "confident-errors": "Most confident errors",
    "disagreeing": "Disagreeing videos",
    "conditions": "Conditions",
}
"""Sections below the first screen: anchor -> title."""


def render_page(report: Mapping[str, Any]) -> str:
    """Render the page.

    Args:
        report: the content of report.json.
    """
    shown = {anchor: title for anchor, title in SECTIONS.items() if _content(report, anchor)}
    style, script = (TEMPLATES.joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            report=report,
            sections=shown,
            checked=checked_without_finding(report),
            style=Markup(style),
            script=Markup(script),
            policy=_policy(style, script),
        )
    )


def _content(report: Mapping[str, Any], anchor: str) -> object:
    """Return what a section shows, if the report has it."""
    if anchor == "flips":
        return (report["comparison"] or {}).get("flips")
    if anchor in ("views", "disagreeing") and report["run"]["num_views"] == 1:
        return None
    return report[anchor.replace("-", "_")]


def _policy(style: str, script: str) -> str:
    """Make the content security policy that allows this style and this script, and no request at all."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style_hash}'; script-src 'sha256-{script_hash}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_text,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = (
        "count",
        "quantity",
        "percent",
        "share_percent",
        "part",
        "decimal",
        "points",
        "significant",
        "name_of",
        "sentence",
    )
    environment.filters.update({name: getattr(formats, name) for name in names})
    environment.filters["weakest_first"] = charts.weakest_first
    environment.filters["breakable"] = _breakable
    environment.globals.update(charts=charts, marks=marks, interval=formats.interval)
    return environment


def _breakable(path: str) -> Markup:
    """Let a path break after its slashes."""
    return Markup("/<wbr>").join(printable(path).split("/"))


def _text(value: object) -> object:
    """Escape the control characters of a text, which could reorder or hide what stands beside it."""
    if value is None:
        return formats.NONE
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
