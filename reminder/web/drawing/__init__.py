"""Drawings as SVG: the timeline, and where the date stands on a card."""
