"""Look at a data set of any usual layout before it is imported or trained on."""
