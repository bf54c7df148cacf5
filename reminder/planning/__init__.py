"""Planning: which cards are due today, who is reminded of them, and in which words."""
