"""What encoders have in common that compute in one way and have no map."""

from jaxtyping import Float32
from torch import Tensor

from embshift.core.encoding import AnyViews, Encoding
from embshift.core.errors import EncoderError
from embshift.core.types import Field

__all__ = ["check_plain", "encode_without_map"]


def check_plain(source: str, /, *, precision: str, runtime: str) -> None:
    """Check that nothing but what an encoder does by itself is asked for.

    Args:
        source: The encoder, as the user names it.
        precision: What is asked for; "float32" where nothing is.
        runtime: What is asked for; "torch" where nothing is.

    Raises:
        EncoderError: Another precision or runtime is.
    """
    if precision != "float32" or runtime != "torch":
        raise EncoderError(
            f"encoder '{source}' computes in one way, so neither --precision nor --runtime applies to it;"
            " leave both out"
        )


def encode_without_map(embedding: Float32[Tensor, "views dim"], views: AnyViews, /) -> Encoding:
    """Return embeddings of whole views as an encoding.

    Args:
        embedding: Raw embeddings, one for each view.
        views: The views.
    """
    height, width = views.shape[1:3]
    return Encoding(embedding=embedding, grid=(1, 1), field=Field(0.0, 0.0, float(height), float(width)))
