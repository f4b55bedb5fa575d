"""What the API takes and gives: one model for checking a request and for describing it."""
