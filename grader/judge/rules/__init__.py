"""Rules: what a solution may not use, and where it may not loop. Three witnesses, each of which is named:

1. the text of the very bytes that run (:mod:`.text`, :mod:`.loops`),
2. what torch and Python themselves saw while the function ran in the player (:mod:`.sightings`),
3. how its work grows between two sizes (:mod:`.growth`).

A trace can be tampered with: signs of that are flagged for staff and cost nothing by themselves, and no value rests on
a trace.
"""
