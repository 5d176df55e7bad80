"""LangBRT: a face, and words for what is to go, to where that is and to the face without it.

Hunting Blemishes: Language-guided High-fidelity Face Retouching Transformer with Limited Paired Data, ACM Multimedia
2024. The paper leaves the sizes of its networks to an appendix that is not published with it; ours are in ``config``.
"""

from faceloom.nets.langbrt.config import LangBRTConfig
from faceloom.nets.langbrt.discriminator import PatchDiscriminator
from faceloom.nets.langbrt.model import LangBRT, Retouched

__all__ = ["LangBRT", "LangBRTConfig", "PatchDiscriminator", "Retouched"]
