"""REST: a package per resource, each with its routes, requests, responses and models."""
