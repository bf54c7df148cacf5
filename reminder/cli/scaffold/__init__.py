"""Skeletons of a new kind of card, language or channel, and reports of what is still missing."""
