"""The operators that this process knows.

    registry.py          by name
    registration.py, registered_cases.py, sources.py    a user's
    gradients.py, checked_texts.py, did_you_mean.py    their gradients; texts that have passed; names that were meant
"""
