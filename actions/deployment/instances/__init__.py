"""Running copies of a revision: what starts, finds and stops them."""
