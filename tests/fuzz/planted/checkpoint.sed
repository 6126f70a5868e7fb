# A file's hash may have any length.
s/ || strlen(hash) != 64)/)/
