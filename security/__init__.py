"""Who may do what, and where secrets come from."""
