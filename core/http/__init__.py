"""What every HTTP client of ours shares: settings, credentials, TLS."""
