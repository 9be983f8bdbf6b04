"""Notice and tell: rules, alerts, incidents and notifications."""
