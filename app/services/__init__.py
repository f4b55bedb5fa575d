"""Rules and writes. A service is a verb, takes the actor as `by=`, and never sees a request."""
