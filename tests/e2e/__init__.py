"""End to end: a real node, real images, real MLflow on PostgreSQL; all they need is KUBECONFIG, kubectl and helm."""
