"""Files to frames and back."""

from faceloom.media.codecs import CODECS
from faceloom.media.colour import ColourTags
from faceloom.media.info import AudioInfo, ClipInfo
from faceloom.media.native import NativePlanes
from faceloom.media.picture import read_image, write_image
from faceloom.media.probe import probe
from faceloom.media.reader import Clip, open_clip
from faceloom.media.repeat import RepeatedPicture
from faceloom.media.writer import ClipWriter

__all__ = [
    "CODECS",
    "AudioInfo",
    "Clip",
    "ClipInfo",
    "ClipWriter",
    "ColourTags",
    "NativePlanes",
    "RepeatedPicture",
    "open_clip",
    "probe",
    "read_image",
    "write_image",
]
