# A backslash at a value's end leads past it.
s/if (\*at == '\\\\' && at\[1\])/if (*at == '\\\\')/
