"""Assay on this machine as it runs on AWS: containers for the functions, moto for the rest. `python -m local.aws`."""
