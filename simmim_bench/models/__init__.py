"""SimMIM and its variants, with their decoders, losses and targets."""
