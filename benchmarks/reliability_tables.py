"""Make the tables of reliability.md as Markdown, as result_tables.py makes those of the other documents."""

from collections.abc import Callable

from benchmarks.labels import Results
from benchmarks.result_tables import table


def reliability(results: Results) -> str:
    """Verdicts on changed inputs, by kind."""
    result = results.get("reliability", {"kinds": {}})
    names = ("noticed", "harmless", "undetectable", "silent", "traceback", "hang", "misleading")
    rows = []
    for kind, found in result["kinds"].items():
        counts = " | ".join(str(found[name]) for name in names)
        rows.append(f"{kind.replace('_', ' ')} | {sum(found.values())} | {counts} | {result['notes'][kind]}")
    made = f"\nMade on {result['date']} by `{result['command']}`.\n" if rows else ""
    header = " | ".join(["kind", "tried", *names, "what is changed"])
    return table(header, rows, result if rows else None) + made


TABLES: dict[str, Callable[[Results], str]] = {make.__name__: make for make in (reliability,)}
