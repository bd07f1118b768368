"""What a user writes: steps, pipelines and blocks, and the trace that makes a plan of them."""
