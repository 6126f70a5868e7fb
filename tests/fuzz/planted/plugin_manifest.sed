# An option that stands before any component belongs to none.
s/} else if (id_end && r->count) {/} else if (id_end) {/
