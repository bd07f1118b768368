"""Container steps on this machine."""
