"""The operators that this process knows.

registry.py          by name
registration.py, sources.py    a user's, and where a command gets them from
gradients.py, checked_texts.py    their gradients; texts that have passed
"""
