"""A museum of bugs: public reports of other projects, each told as a day of the simulation.

A row of *.toml names its source and says the symptom in our own words. It holds what happens, how providers behave, and
what must have come of it. `python -m tests.museum` lives them all; a part of a source's name chooses.
"""
