"""How a run is shown while it goes on and when it is over, and errors: as lines, tables and JSON."""
