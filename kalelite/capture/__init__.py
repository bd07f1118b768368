"""Code by value: step functions and what they reach, packed so that they run elsewhere.

`kalelite.capture.code` runs where the user's script runs; `kalelite.capture.load` travels.
"""
