"""The list of offers: one filter for list, counters, export, API and poll."""
