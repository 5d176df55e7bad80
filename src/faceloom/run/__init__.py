"""The one loop: recipe in, edited file out."""
