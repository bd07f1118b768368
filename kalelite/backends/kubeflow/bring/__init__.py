"""Values and records of a run, brought here from the volume that holds them."""
