# lxml is compiled and brings no types.
