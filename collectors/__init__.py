"""Look: plugins that bring samples in."""
