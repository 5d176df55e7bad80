"""One file per editing system, all with the same small contract."""
