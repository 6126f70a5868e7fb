# Tensors of too many axes are not refused.
s/if (json_array_size(value) > LTH_MAX_RANK)/if (json_array_size(value) > 64)/
