"""What runs the pipelines of examples/ci on this machine: act, gitlab-ci-local and JenkinsPipelineUnit."""
