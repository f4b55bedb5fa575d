"""What serves blueprints only: guards, fragments, errors, headers, rate limits, the web process."""
