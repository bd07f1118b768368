"""What an attempt at a task is, wherever it runs: its process, its limits, and why it ended."""
