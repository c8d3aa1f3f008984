"""Drafts, proposals and publishing."""
