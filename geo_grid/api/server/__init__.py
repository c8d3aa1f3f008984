"""The base of all routes: transactions, rights, problems, limits."""
