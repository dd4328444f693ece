"""The doors, a module each.

A target has `one_input`, which takes any bytes and raises if anything is wrong, `WORDS`, what the
fuzzer is to try in an input besides what it makes up, and `LONGEST`, bytes of its longest input.
"""
