"""The processes of a local run: one for each task, forked from a small server."""
