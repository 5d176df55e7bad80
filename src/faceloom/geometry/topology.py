"""Named index sets on the 478-point face mesh (468 mesh points and two irises). The one table of landmarks.

Left and right are the subject's. Lines of the eyes run from the outer to the inner corner, lines of the mouth
from the subject's right corner to the left one, so that lines of one part pair up point by point.
"""

from __future__ import annotations

Indices = tuple[int, ...]

RIGHT_UPPER_LID: Indices = (33, 246, 161, 160, 159, 158, 157, 173, 133)
RIGHT_LOWER_LID: Indices = (33, 7, 163, 144, 145, 153, 154, 155, 133)
LEFT_UPPER_LID: Indices = (263, 466, 388, 387, 386, 385, 384, 398, 362)
LEFT_LOWER_LID: Indices = (263, 249, 390, 373, 374, 380, 381, 382, 362)

# Skin around the eye, in rings of growing distance from the lids.
RIGHT_UPPER_LID_SKIN: Indices = (130, 247, 30, 29, 27, 28, 56, 190, 243)
RIGHT_LOWER_LID_SKIN: Indices = (130, 25, 110, 24, 23, 22, 26, 112, 243)
LEFT_UPPER_LID_SKIN: Indices = (359, 467, 260, 259, 257, 258, 286, 414, 463)
LEFT_LOWER_LID_SKIN: Indices = (359, 255, 339, 254, 253, 252, 256, 341, 463)
RIGHT_UNDER_BROW: Indices = (226, 113, 225, 224, 223, 222, 221, 189, 244)
LEFT_UNDER_BROW: Indices = (446, 342, 445, 444, 443, 442, 441, 413, 464)
RIGHT_UNDER_EYE: Indices = (226, 31, 228, 229, 230, 231, 232, 233, 244)
LEFT_UNDER_EYE: Indices = (446, 261, 448, 449, 450, 451, 452, 453, 464)

RIGHT_EYE_RING: Indices = RIGHT_UPPER_LID + RIGHT_LOWER_LID[-2:0:-1]
LEFT_EYE_RING: Indices = LEFT_UPPER_LID + LEFT_LOWER_LID[-2:0:-1]
RIGHT_EYE_CORNERS: Indices = (33, 133)
LEFT_EYE_CORNERS: Indices = (263, 362)

# Centre first, then four points of the rim.
RIGHT_IRIS: Indices = (468, 469, 470, 471, 472)
LEFT_IRIS: Indices = (473, 474, 475, 476, 477)

# Eyebrows run from the temple to the nose: upper edge, then the ridge through the hair.
RIGHT_EYEBROW_UPPER: Indices = (70, 63, 105, 66, 107)
RIGHT_EYEBROW_LOWER: Indices = (46, 53, 52, 65, 55)
LEFT_EYEBROW_UPPER: Indices = (300, 293, 334, 296, 336)
LEFT_EYEBROW_LOWER: Indices = (276, 283, 282, 295, 285)
RIGHT_FOREHEAD: Indices = (71, 68, 104, 69, 108)
LEFT_FOREHEAD: Indices = (301, 298, 333, 299, 337)

# Lip lines: outer edge, one line through the red of the lip, inner edge, each from corner to corner.
UPPER_LIP_OUTER: Indices = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291)
UPPER_LIP_MIDDLE: Indices = (76, 184, 74, 73, 72, 11, 302, 303, 304, 408, 306)
UPPER_LIP_INNER: Indices = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_LIP_OUTER: Indices = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
LOWER_LIP_MIDDLE: Indices = (76, 77, 90, 180, 85, 16, 315, 404, 320, 307, 306)
LOWER_LIP_INNER: Indices = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
UPPER_LIP_SKIN: Indices = (57, 186, 92, 165, 167, 164, 393, 391, 322, 410, 287)
LOWER_LIP_SKIN: Indices = (57, 43, 106, 182, 83, 18, 313, 406, 335, 273, 287)
MOUTH_RING: Indices = UPPER_LIP_OUTER + LOWER_LIP_OUTER[-2:0:-1]
INNER_MOUTH_RING: Indices = UPPER_LIP_INNER + LOWER_LIP_INNER[-2:0:-1]
MOUTH_CORNERS: Indices = (61, 291)

# From between the eyes down the right side, around the wings and septum, and up the left side.
NOSE_RING: Indices = (
    168, 193, 245, 188, 174, 217, 126, 209, 129, 64, 98, 97, 2, 326, 327, 294, 358, 429, 355, 437, 399, 412, 465, 417,
)  # fmt: skip
# Outlines of the nostrils; their holes may be wider or narrower.
RIGHT_NOSTRIL: Indices = (79, 239, 238, 20, 60, 75, 59, 166)
LEFT_NOSTRIL: Indices = (309, 459, 458, 250, 290, 305, 289, 392)
NOSE_POINTS: Indices = (
    168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 122, 351, 196, 419, 3, 248, 51, 281, 45, 275, 44, 274, 193, 417, 245, 465,
    188, 412, 174, 399, 236, 456, 198, 420, 131, 360, 49, 279, 48, 278, 115, 344, 220, 440, 64, 294, 98, 327, 97, 326,
    129, 358, 218, 438, 79, 309, 75, 305, 240, 460,
)  # fmt: skip

FACE_OVAL: Indices = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149, 150,
    136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip

# Points that move with the skull and not with the expression: bridge of the nose, temples, eye corners, forehead.
RIGID_POINTS: Indices = (
    168, 6, 197, 195, 5, 4, 33, 133, 263, 362, 127, 356, 234, 454, 10, 151, 9, 8, 67, 297, 109, 338, 122, 351,
)  # fmt: skip
