"""What everything that speaks HTTP to the watched world shares."""
