"""Notebooks: read, run as IPython would, and made a pipeline by their tags."""
