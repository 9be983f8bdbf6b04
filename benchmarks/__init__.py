"""Speed, measured beside the real peer in the same run; one command each. Results: README.md here."""
