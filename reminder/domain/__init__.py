"""The rules: pure functions over dates and words, without clock, database or network."""
