# A ninth file has no room.
s/m->file_count == sizeof m->files \/ sizeof \*m->files/m->file_count == 64/
