"""A demo city that lives: calls come in, units drive, matters go through their steps, by people of the demo over HTTP.

What is here runs for weeks in a process of its own beside the server, with little memory: only `plan` and `users`, which are
asked before, import more than the standard library.
"""
