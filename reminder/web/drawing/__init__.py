"""Drawings as SVG: the timeline, and the place of the date on a card."""
