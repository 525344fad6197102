"""Runs of many cases that may be cut into shards, and that go on where they were killed.

    shards.py     which cases are a shard's
    journal.py    the file of finished cases
    keys.py       what a result depends on: sources, machine, emitted text and inputs
    resume.py     what is taken over from a journal, and what is put into it
    steps.py      the cases of a command beside the rooms, one after the other or in processes
    baseline.py   an earlier report beside this one
    provenance.py   the commit and the environment that a report is of
    record_file.py  records of measurements as files, which somebody may have edited
"""
