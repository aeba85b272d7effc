"""The making halves of device forms: torch alone, over a batch, each view by itself.

Whole numbers where the library has them, and else the library's own order of float operations, each a step of
its own: so neither the batch nor the kind of device changes a pixel. What adds up over pixels adds whole
numbers. Not imported by workers.
"""
