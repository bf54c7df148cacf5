"""Skeletons of a new kind of card, language or channel, and what of one is still missing."""
