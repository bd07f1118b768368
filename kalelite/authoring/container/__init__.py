"""Steps that are container images: their definition, their words, their calls."""
