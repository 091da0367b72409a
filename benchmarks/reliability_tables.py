"""Make the tables of reliability.md, and that of mutants, as Markdown, as result_tables.py makes the others."""

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


def signals(results: Results) -> str:
    """Scripts stopped at moments spread from their first line to their end."""
    result = results.get("signals")
    row = "{script} | {signals} | {trials} | {with_a_problem}"
    rows = [row.format(**count) for count in result["counts"]] if result else []
    return table("script | signals | trials | with a problem", rows, result)


def records(results: Results) -> str:
    """What manifest, journal, checks of views and syncs cost."""
    result = results.get("manifest")
    if not result:
        return table("question | measured", [])
    manifest, listing, sync = result["manifest"], result["listing"], result["sync"]
    rows = [
        f"recording {result['videos']} videos, share of the driver at 20 videos/s | {manifest['driver_share']:.2%}",
        f"saving, loading, resuming after a kill, merging 8 shards of {result['videos']} videos | "
        + ", ".join(f"{manifest[f'{name}_seconds']:.1f} s" for name in ("save", "load", "resume_after_kill", "merge")),
        f"listing and checking {listing['views']} views | {listing['seconds']:.1f} s",
        f"`x3d_preprocess.py` of {sync['videos']} videos, time with sync / without | {sync['ratio']:.2f} "
        f"({sync['with_seconds']:.1f} s, {sync['without_seconds']:.1f} s)",
    ]
    return table("question | measured", rows, result)


def mutation(results: Results) -> str:
    """Mutants of each module, and the share of those not equivalent that tests kill."""
    result = results.get("mutation", {})
    by_module = {**result.get("modules", {}), "all": result["total"]} if result else {}
    rows = [
        f"{name} | {{tried}} | {{killed}} | {{equivalent}} | {{survived}} | {{share:.0f}}%".format(
            **counts, share=100 * counts["killed"] / max(1, counts["tried"] - counts["equivalent"])
        )
        for name, counts in by_module.items()
    ]
    rows += [f"{name} | {reason}: not tried |  |  |  | " for name, reason in result.get("excluded", {}).items()]
    return table("module | tried | killed | equivalent | survived | killed of those not equivalent", rows, result)


TABLES: dict[str, Callable[[Results], str]] = {
    make.__name__: make for make in (reliability, signals, records, mutation)
}
