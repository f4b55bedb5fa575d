"""What whoever runs the installation has to know."""
