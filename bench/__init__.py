"""Comparisons with peers, one command each; nothing here is part of the product."""
