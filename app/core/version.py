"""The version of the product: here, and nowhere else."""

VERSION = "0.1.0"
