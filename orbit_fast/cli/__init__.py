"""The command line: argv and environment in, exit status out. The only room that prints or exits.

`main` answers ``--version`` at once, and leaves ``__complete`` (what shells ask while somebody types) to `completing`;
everything else goes to `run`, the top line. `commands` makes the click commands from the option table
(`orbit_fast.core.options`); `config` reads the configuration file; `verbs` has one file a verb; `display` draws
progress; `environment` alone touches argv, variables and the standard streams.
"""
