"""Who gets which share of the requests."""
