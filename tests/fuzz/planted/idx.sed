# Files of too many dimensions are not refused.
s/magic\[3\] > max_rank/magic[3] > 64/
