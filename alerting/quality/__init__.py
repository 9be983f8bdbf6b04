"""How good the alerts are: what need not be told, because something else explains it."""
