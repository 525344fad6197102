"""The picture that networks are shown: 224 x 224, normalised as ImageNet's pictures are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uol.ir.errors import ResourceError, ToolchainError

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
"""Per channel, of ImageNet (torchvision's transforms for its trained networks)."""

SHORT_SIDE, SIDE = 256, 224


def photograph(path: Path | None = None) -> NDArray[np.float32]:
    """The picture at `path`, or scikit-learn's photograph "china.jpg": its shorter side scaled to 256, the middle
    224 x 224 cut out, normalised; shape [1, 3, 224, 224].

    Raises ToolchainError where scikit-learn or pillow is missing, ResourceError where the file cannot be read.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ToolchainError("the model paths need pillow", hint="install uol[paths]") from error
    if path is not None:
        try:
            picture = Image.open(path).convert("RGB")
        except OSError as error:
            raise ResourceError(f"{path} cannot be read as a picture: {error}") from error
    else:
        picture = Image.fromarray(_china())
    width, height = picture.size
    scale = SHORT_SIDE / min(width, height)
    scaled = picture.resize((round(width * scale), round(height * scale)), Image.Resampling.BILINEAR)
    left, top = (scaled.width - SIDE) // 2, (scaled.height - SIDE) // 2
    pixels = np.asarray(scaled.crop((left, top, left + SIDE, top + SIDE)), dtype=np.float32) / 255
    normal = (pixels - np.array(MEAN, np.float32)) / np.array(STD, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])


def _china() -> NDArray[np.uint8]:
    try:
        from sklearn.datasets import load_sample_image
    except ImportError as error:
        raise ToolchainError(
            "the photograph is scikit-learn's, which is missing", hint="install uol[paths], or give a picture"
        ) from error
    image: NDArray[np.uint8] = load_sample_image("china.jpg")
    return image
