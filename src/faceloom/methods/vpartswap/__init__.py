"""V-PartSwap: facial part transfer in video by a diffusion autoencoder."""
