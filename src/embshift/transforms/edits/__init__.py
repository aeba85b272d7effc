"""Edits that pictures meet on their way: one registered function each, at five severities.

What an edit draws does not depend on its strength, so a sweep follows one draw. All take pictures from 1 x 1.
"""
