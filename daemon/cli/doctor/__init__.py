"""`watchkeeper doctor`: whether this machine has what the daemon needs."""
