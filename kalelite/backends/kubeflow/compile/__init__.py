"""From a plan to the package that Kubeflow Pipelines takes."""
