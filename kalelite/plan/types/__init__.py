"""Types of parameters and values."""
