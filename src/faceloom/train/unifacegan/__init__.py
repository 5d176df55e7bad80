"""Training of UniFaceGAN: clips packed with their 3D faces, sampling, losses, and the task for the loop."""
