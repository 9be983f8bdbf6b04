"""The door for short jobs: they push their metrics as to a Pushgateway, and these are kept until they expire."""
