"""E-mail, over SMTP."""
