"""What runs next, and what the values of a plan are while it runs: pure, shared by all backends."""
