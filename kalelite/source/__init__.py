"""The user's source: scripts, and places in them: files, lines, columns."""
