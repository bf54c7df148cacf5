"""Planning: which cards are due today, who is told, and in which words."""
