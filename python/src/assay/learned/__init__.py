"""Learned importance: a gradient-boosted model of a target that the user gives, for a model folder.

`python -m assay.learned train --help` says how; docs/learned.md says when it pays.
"""
