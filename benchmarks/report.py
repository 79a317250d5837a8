"""All benchmarks as one table; what ``make bench`` runs.

sudo .venv/bin/python benchmarks/report.py             run everything, print the tables
.venv/bin/python benchmarks/report.py --only-print     the tables of the last run
.venv/bin/python benchmarks/report.py --readme         the same, written into benchmarks/README.md
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


def tables() -> str:
    """Everything that was measured, with when and on what."""
    sections = []
    for title, name, render in (
        ("Forwarding, AES-GCM", "forwarding", results.forwarding_table),
        ("Forwarding, AES-CM", "forwarding-cm", results.forwarding_table),
        ("Time in the server", "latency", results.latency_table),
        ("Joins", "join", results.join_table),
    ):
        found = results.read(name)
        if found is None:
            sections.append(f"### {title}\n\nNot measured.")
            continue
        machine = found["machine"]
        what = f"{found['at']}, {machine['processor']} ({machine['processors']}), Linux {machine['kernel']}"
        sections.append(f"### {title}\n\n{what}\n\n{render(found)}")
    return "\n\n".join(sections)


def write_readme() -> None:
    """Replaces what stands between the marks."""
    file = HERE / "README.md"
    before, _, rest = file.read_text().partition(START)
    _, _, after = rest.partition(END)
    file.write_text(f"{before}{START}\n\n{tables()}\n\n{END}{after}")


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
    print(tables())
    if arguments.readme:
        write_readme()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
