"""The fault campaign: nothing lost, nothing invented.

Whole measured runs by the real session, writer and pollers on virtual time, against Regions whose truth is known and
in which everything goes wrong; each is audited and its verdict held against the truth (`test_virtual.py`). Bugs
planted in copies of the harness must each be found (`test_planted_bugs.py`).

The same with real processes, sockets and signals: an emulator that goes wrong (`test_processes.py`), a machine that
fails (`test_host.py`), journals damaged afterwards (`test_damaged_journals.py`). What needs root is skipped without.

    python -m pytest -m campaign                                   reduced: some 200 virtual runs, always the same
    CAMPAIGN_RUNS=2000 python -m pytest -m campaign                full: newly drawn runs; the table names the seed
    CAMPAIGN_RUNS=2000 CAMPAIGN_SEED=N python -m pytest -m campaign      those runs again

At its end it prints a table: fault × runs × verdicts × writes accounted for. Whatever other suite belongs to the
campaign marks its tests `campaign` and calls `tests.campaign.report.report_case` for each run.
"""
