"""Annotated text, answers and relations in the forms that other tools read.

A writer takes results one by one and gives pieces of the output file, so that a corpus of any size
passes through. All offsets count characters (code points) of the text as it was given.
"""
