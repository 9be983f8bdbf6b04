"""`watchkeeper demo`: the product in one minute, all of it real."""
