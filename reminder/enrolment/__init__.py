"""Enrolment: what people tell us, checked and kept."""
