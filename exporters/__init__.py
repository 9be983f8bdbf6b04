"""Everything known, in the formats that other tools read."""
