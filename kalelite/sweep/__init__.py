"""Sweeps: many runs of one pipeline, over values of its parameters, and which of them was best."""
