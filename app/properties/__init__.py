"""Properties, their links, and what their owners and buyers are shown."""
