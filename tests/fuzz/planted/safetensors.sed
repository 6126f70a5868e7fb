# A tensor may have more bytes than its shape.
s/if (out->end - out->begin != bytes)/if (out->end - out->begin < bytes)/
