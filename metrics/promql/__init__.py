"""PromQL: parse, check and evaluate over whole columns."""
