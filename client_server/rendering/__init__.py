"""From what a model wrote, and what a template says, to HTML that may stand in our page."""
