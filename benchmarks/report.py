"""All benchmarks as one table; what ``make bench`` runs.

sudo .venv/bin/python benchmarks/report.py             run everything, print the tables
.venv/bin/python benchmarks/report.py --only-print     the tables of the last run
.venv/bin/python benchmarks/report.py --readme         the same, written into benchmarks/README.md, where
                                                       what was not measured here stays
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import results

HERE = Path(__file__).resolve().parent
RUNS = (
    ("forwarding.py", "--peer", "janus"),
    ("forwarding.py", "--profile", "cm", "--viewers", "100"),
    ("latency.py",),
    ("join.py",),
)
START, END = "<!-- results: written by report.py --readme -->", "<!-- end of results -->"


def sections() -> dict[str, str | None]:
    """What was measured, with when and on what, by title; nothing of what was not measured here."""
    found: dict[str, str | None] = {}
    for title, name, render in (
        ("Forwarding, AES-GCM", "forwarding", results.forwarding_table),
        ("Forwarding, AES-CM", "forwarding-cm", results.forwarding_table),
        ("Time in the server", "latency", results.latency_table),
        ("Joins", "join", results.join_table),
    ):
        figures, found[title] = results.read(name), None
        if figures is not None:
            machine = figures["machine"]
            processors = f"{machine['processor']} ({machine['processors']})"
            found[title] = f"{figures['at']}, {processors}, Linux {machine['kernel']}\n\n{render(figures)}"
    return found


def tables(kept: dict[str, str]) -> str:
    """All sections; in place of what was not measured here, what is ``kept`` of earlier."""
    texts = {title: text or kept.get(title, "Not measured.") for title, text in sections().items()}
    return "\n\n".join(f"### {title}\n\n{text}" for title, text in texts.items())


def write_readme() -> None:
    """Replaces what stands between the marks; sections that were not measured here stay."""
    file = HERE / "README.md"
    before, _, rest = file.read_text().partition(START)
    written, _, after = rest.partition(END)
    parts = (part.partition("\n") for part in written.split("### ")[1:])
    kept = {title: text.strip() for title, _, text in parts}
    file.write_text(f"{before}{START}\n\n{tables(kept)}\n\n{END}{after}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only-print", action="store_true", help="measure nothing")
    parser.add_argument("--readme", action="store_true", help="measure nothing, write README.md")
    arguments = parser.parse_args()
    failed = []
    if not (arguments.only_print or arguments.readme):
        for script, *options in RUNS:
            print(f"--- {script} {' '.join(options)}", flush=True)
            if subprocess.run([sys.executable, str(HERE / script), *options], check=False).returncode:
                failed.append(script)
    print(tables({}))
    if arguments.readme:
        write_readme()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
