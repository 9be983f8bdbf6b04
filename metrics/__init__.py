"""Remember and ask: labels, frames, exposition parsing, the store and PromQL."""
