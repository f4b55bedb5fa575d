"""Health and usage, for the operator of the installation."""
