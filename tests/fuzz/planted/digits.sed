# The digit may be any number.
s/value > (last ? CLASSES - 1 : GREYS)/(!last \&\& value > GREYS)/
