# A quote that does not end is looked for behind the text's end.
s/^        if (!\*at)$/        if (!*at \&\& r->line < 0)/
