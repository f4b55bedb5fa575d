"""The outside: HTTP calls, SMTP, pictures, timestamps. Nothing here knows what is above it."""
