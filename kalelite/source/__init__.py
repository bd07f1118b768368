"""Places in the user's source: files, lines, columns."""
