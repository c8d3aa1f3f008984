"""A demo city that lives: calls come in, units drive, matters go through their steps, by people of the demo over HTTP.

What is here runs for weeks in a process of its own beside the server, with little memory: only `plan`, which reads the city
before, imports more than the standard library.
"""
