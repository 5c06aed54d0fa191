"""`python -m harness`: the verbs."""

from __future__ import annotations

VERBS = {
    "run": "measure how long writes in one Region take to become visible in others",
    "compare": "do runs or Region pairs differ, by how much, and how sure is that",
    "calibrate": "measure the instrument itself against the emulator's truth",
    "doctor": "would a measurement from here work, and be trusted: credentials, permissions, clock, host",
    "table": "create, look at or remove the global table of a measurement; its IAM policy",
    "demo": "the AWS demo this project grew from, step by step, with measured times",
    "experiment": "a question as a TOML file: swept, measured, resumed where it stopped",
    "report": "rebuild samples, summary and plots of a run from its journal",
    "check": "does a run keep every promise: invariants from its journal, samples, summary and truth",
    "emulator": "several Regions of DynamoDB on this machine, with replication lag",
}


def main() -> None:
    """List the verbs."""
    print("usage: python -m harness.VERB [--help]\n")
    for verb, what in VERBS.items():
        print(f"  {verb:<11} {what}")


if __name__ == "__main__":
    main()
