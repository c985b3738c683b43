"""`kubectl heart copy`: a proven version, from one namespace's registry to another's."""
