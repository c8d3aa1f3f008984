"""Failures on purpose, one command each, with a verdict; nothing here is part of the product."""
