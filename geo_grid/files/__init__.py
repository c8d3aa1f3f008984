"""Files from strangers: read in a confined process of their own, and handed back as plain rows.

`door.read_table` and `door.read_extract` are the only ways in. The rest of this room runs in the child process,
which imports as little as it can and starts with nothing but the file.
"""
