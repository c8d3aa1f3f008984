"""Log-in, accounts, keys and the audit."""
