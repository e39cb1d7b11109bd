"""The tables of `benchmarks.poisoning`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from statistics import mean
from typing import Any

from benchmarks.report import RESULTS

Results = Sequence[dict[str, Any]]
KEYS = ("date", "commit", "command", "seconds", "cpu", "cores", "load_average_before", "python")


def write(about: dict[str, Any], results: Results, others: Results) -> str:
    """poisoning.json and poisoning.md of the results' folder; the latter's text."""
    document = {"machine": about, "results": results, "clean_banks": others}
    (RESULTS / "poisoning.json").write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "utf-8")
    text = markdown(about, results, others)
    (RESULTS / "poisoning.md").write_text(text, "utf-8")
    return text


def markdown(about: dict[str, Any], results: Results, others: Results) -> str:
    """For people."""
    lines = [
        "# Poisoned labels and the gate",
        "",
        "Written by `python -m benchmarks.poisoning`; see docs/retraining.md.",
    ]
    lines += ["", *(f"- {key.replace('_', ' ')}: {about[key]}" for key in KEYS), ""]
    lines += ["Worlds in which it passes the gate without the audit of labels, and with it:", ""]
    lines += ["| labels | outdated champion | with audit | up-to-date champion | with audit | audit quiet | a floor |"]
    lines += ["|---|---|---|---|---|---|---|"]
    lines += [_passes(name, rows) for name, rows in _grouped(results).items()]
    lines += [
        "",
        "What the challenger does by the true labels, mean of the worlds (cost: of clean labels = 1); odd labels:",
    ]
    lines += ["", "| labels | cost | recall | trigger stopped | accused | cleared |", "|---|---:|---:|---:|---:|---:|"]
    lines += [_figures(name, rows, results) for name, rows in _grouped(results).items()]
    lines += ["", "Banks whose labels nobody poisoned:", ""]
    lines += ["| bank | frauds | accused | cleared | audit |", "|---|---:|---:|---:|---|"]
    for each in others:
        odd = f"{each['accused']:.1%} | {each['cleared']:.1%}"
        lines.append(f"| {each['bank']} | {each['frauds']} | {odd} | {_first(each['audit'])} |")
    return "\n".join(lines) + "\n"


def _grouped(results: Results) -> dict[str, list[dict[str, Any]]]:
    """By labels; the clean ones' other seeds together."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for each in results:
        name = "clean, other seeds" if _is_control(each) else each["labels"]
        groups.setdefault(name, []).append(each)
    return groups


def _is_control(each: dict[str, Any]) -> bool:
    return each["labels"].startswith("clean") and each.get("against_clean") is not None


def _passes(name: str, rows: Results) -> str:
    """How many get through, of how many."""

    def through(key: str, *, with_audit: bool) -> str:
        asked = [each for each in rows if each.get(key) is not None]
        passed = [each for each in asked if not each[key] and not (with_audit and each["audit"])]
        return f"{len(passed)} of {len(asked)}" if asked else "-"

    rows = [each for each in rows if "refused" not in each]
    keys = ("against_outdated", "against_clean")
    told = [through(key, with_audit=audit) for key in keys for audit in (False, True)]
    quiet, above = (sum(not each[key] for each in rows) for key in ("audit", "floor"))
    return f"| {name} | {' | '.join(told)} | {quiet} of {len(rows)} | {above} of {len(rows)} |"


def _figures(name: str, rows: Results, results: Results) -> str:
    clean = {each["world"]: each["cost_per_1000"] for each in results if each.get("against_clean", 1) is None}
    made = [each for each in rows if "cost_per_1000" in each]
    if not made:
        return f"| {name} | not trained | | | | |"
    cost = mean(each["cost_per_1000"] / clean[each["world"]] for each in made)
    shares = (mean(each[key] for each in made) for key in ("recall", "trigger_stopped", "accused", "cleared"))
    return f"| {name} | {cost:.2f} | {' | '.join(f'{share:.1%}' for share in shares)} |"


def _first(reasons: Sequence[str]) -> str:
    return reasons[0] if reasons else "quiet"
