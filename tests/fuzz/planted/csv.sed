# A row that is too short is read to the header's end.
s/if (s->reader.count != s->names.count)/if (s->reader.count > s->names.count)/
