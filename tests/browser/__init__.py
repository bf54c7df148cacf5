"""Tests in a real browser. They are a package so that the browser leaves with them."""
