"""Tendril, the worker of Vintner: it claims jobs and runs Terraform or OpenTofu for them."""
