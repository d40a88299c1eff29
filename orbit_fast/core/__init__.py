"""What can be decided from values alone.

Nothing here knows a clock, a random number, a file, a socket or a process: time, randomness and environment are
arguments. So every rule is a table in a test, and nothing here can hang. import-linter forbids the modules that would
change that.
"""
