"""Processes and threads that run beside the web: relay, worker, hourly round."""
