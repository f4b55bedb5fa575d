"""How errors are shown and told: pages, problems of the API, Sentry. What can go wrong stands in `app.core.errors`."""
