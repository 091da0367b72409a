"""What stands out in a report, as sentences for somebody who knows nothing of the run, the most important first."""

from typing import Any

from x3d.scoring.predictions import Predictions


def find_remarkable(predictions: Predictions, report: dict[str, Any]) -> list[dict[str, str]]:
    """Name what stands out, each as kind, text and the part of the page that shows it."""
    return [{"kind": "warning", "text": text, "anchor": "score"} for text in report["warnings"]]
