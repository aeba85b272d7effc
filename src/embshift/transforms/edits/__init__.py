"""Edits that images commonly undergo: one registered function each, most of them at five severities.

What an edit draws does not depend on its strength, so a sweep follows one draw. All edits except the paper's
accept images from 1 x 1 pixel.
"""
