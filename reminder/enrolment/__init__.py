"""Enrolment: checks and stores what people enter."""
