"""The rows of the option table, one module a heading. `options` says what is made of them.

A row names the group of commands that take it (`orbit_fast.core.verb_groups`) by what the option does there; only an
option that one or a few commands have for themselves names commands, and stands in `commands`.
"""
