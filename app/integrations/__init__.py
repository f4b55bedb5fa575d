"""The outside: mail, pictures. Nothing here knows what is above it."""
