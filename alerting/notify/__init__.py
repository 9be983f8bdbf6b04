"""Telling: messages, their durable queue, and the ways they are sent."""
