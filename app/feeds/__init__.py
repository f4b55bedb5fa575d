"""Properties from a CRM's file or address: read when due, row by row."""
