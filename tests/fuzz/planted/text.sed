# Characters beyond Unicode's last are counted, too.
s/ || \*code >= CODE_POINTS || / || /
