"""Runs as pages: what a run did, several beside each other, and the list of all.

Pages are made of `kalelite.runs.report.markup`, which escapes all that is not markup by its type.
"""
