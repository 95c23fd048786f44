"""How fast the shop is: `python -m dev.bench`, which is `make bench`.

Loads the local stack and prints what it did and what that cost, process by process.
"""
