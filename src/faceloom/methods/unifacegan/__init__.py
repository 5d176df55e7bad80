"""unifacegan: swap and reenactment through a 3D face."""
