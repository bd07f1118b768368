"""Run records: what a run was, how far it came, and what it left, as files.

    <home>/runs/<run-id>/run.json                 the plan in short, parameters, state, times
                         events.jsonl             one line for each change of a task's state
                         tasks/<instance>/record.json, log.txt, artifacts/
    <home>/store/                                 the values
    <home>/code/<digest>/                         the captured code

All of it can be read while the run goes on, and after a crash at any point.
"""
