"""Turns a model's text and our templates into HTML that is safe in our page."""
