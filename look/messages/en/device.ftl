# The recorder's own pages.
