"""Edit faces in images and video: say which attribute comes from where, and faceloom weaves it in."""
