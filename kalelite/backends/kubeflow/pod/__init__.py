"""What runs in the pods of a compiled pipeline. It travels in the bundle."""
