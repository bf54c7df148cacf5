"""All texts that people read: the catalog of each language, and the texts composed from it."""
