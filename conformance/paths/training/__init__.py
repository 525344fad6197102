"""A path in training: `uol train`.

recipe.py       optimiser, type, accumulation, rate: data
training.py     one side's module with its optimiser, from step to step
run.py          both sides in turns, validated and kept from time to time
checkpoint.py   what a killed run goes on from
record.py       losses, figures and times of each side
"""
