"""Running a pipeline's body once, with stand-ins for what its steps will return."""
