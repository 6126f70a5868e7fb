# A label may be beyond the number of classes.
s/ || (most && label >= (double)most)//
