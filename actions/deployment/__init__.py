"""Deployments: services, revisions, strategies, instances and traffic."""
