"""`python -m harness.check`: does a run keep every promise that its journal can be held to?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli import Parser, run_verb
from harness.errors import ExitCode
from harness.units import format_tally

if TYPE_CHECKING:
    from harness.analysis.audit import Finding


def make_parser() -> Parser:
    """The flags of this verb."""
    parser = Parser(
        "check",
        "Check the invariants of finished or killed runs from their journals, and against samples, summary and the "
        "emulator's truth where they are there. Exits 3 where one is violated.",
        ("latest", "results/20261123T101500Z-us-west-2-ap-southeast-2-1a2b3c4d", "latest --json"),
    )
    parser.add_argument(
        "runs", nargs="+", metavar="RUN", help="a run directory, its name in --results, or latest"
    )
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    parser.add_argument("--json", action="store_true", help="print the findings as one object on stdout")
    return parser


def main(argv: Sequence[str]) -> ExitCode:
    """Parse, check, print."""
    arguments = make_parser().parse_args(argv)

    from harness.analysis.audit import audit_run, violations  # heavy: not for --help
    from harness.records.run_directory import find_run

    directories = [find_run(name, arguments.results) for name in arguments.runs]
    audits = {str(directory.path): audit_run(directory) for directory in directories}
    bad = any(violations(findings) for findings in audits.values())
    if arguments.json:
        runs = [
            {"run": path, "ok": not violations(findings), "findings": [f.to_json() for f in findings]}
            for path, findings in audits.items()
        ]
        print(json.dumps({"ok": not bad, "runs": runs}, indent=2))
    else:
        for path, findings in audits.items():
            _show(path, findings)
    return ExitCode.INVALID if bad else ExitCode.OK


def _show(path: str, findings: Sequence[Finding]) -> None:
    print(f"run       {path}")
    names = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{finding.status:<9} {finding.name:<{names}}  {finding.detail}".rstrip())
    print(f"{len(findings)} invariants: {format_tally(finding.status for finding in findings)}")


if __name__ == "__main__":
    run_verb(main)
