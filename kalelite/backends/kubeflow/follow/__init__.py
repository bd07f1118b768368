"""What happens to a run on Kubeflow Pipelines, as the events of a local run."""
