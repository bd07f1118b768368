"""The local backend: a plan runs here, every task in a process of its own."""
