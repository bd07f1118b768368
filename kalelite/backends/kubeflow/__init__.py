"""The Kubeflow backend: a plan becomes a pipeline of Kubeflow Pipelines v2.

kfp is imported when a plan is compiled, not before: checks and settings need none.
"""
