"""From a compiled pipeline to a run on Kubeflow Pipelines."""
