"""Images in memory as Python users hold them: columns of pandas, arrays of floats, tensors of torch."""

import logging
from typing import Any

import numpy as np

from embshift.core.errors import PlanError
from embshift.images.lists import choose_columns

__all__ = ["expand_source", "read_array"]

_log = logging.getLogger("embshift")


def expand_source(source: Any, /) -> list[Any]:
    """Return a source as a list: the items of a list, tuple, column or table of pandas, or the source itself.

    Args:
        source: A source or several. A table has one column named path, image or file, or a name like these.

    Raises:
        PlanError: If a table has no such column, or several.
    """
    if isinstance(source, (list, tuple)):
        return list(source)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if _is_of("pandas", source, "DataFrame"):
        return list(source[_choose_column([*source.columns])])
    return list(source) if _is_of("pandas", source, "Series") else [source]


def _is_of(package: str, thing: Any, kind: str) -> bool:
    """Return whether a thing is of a class of a package, which need not be installed."""
    return any(
        one.__name__ == kind and one.__module__.split(".")[0] == package for one in type(thing).__mro__
    )


def _choose_column(columns: list[Any]) -> Any:
    wanted = choose_columns(str(name).lower() for name in columns)
    found = [name for name in columns if str(name).lower() in wanted]
    if len(found) == 1:
        return found[0]
    what = f"the columns {', '.join(map(str, found))}" if found else "no column path, image, file or url"
    raise PlanError(
        f"a table has {what} (of {', '.join(map(str, columns)) or 'none'}); pass one column: table['path']"
    )


def read_array(image: Any, /) -> Any:
    """Return a tensor of torch, or an array of floats from 0 to 1, as a uint8 array; anything else as it is.

    Floats are multiplied by 255 and rounded, which the log says.

    Args:
        image: An array of height x width x 3 or height x width; a tensor may be 3 x height x width too.

    Raises:
        PlanError: If values are outside of 0 to 1, or the axes of a tensor can be read in two ways.
    """
    if _is_of("torch", image, "Tensor"):
        image = _read_tensor(image)
    if isinstance(image, np.ndarray) and np.issubdtype(image.dtype, np.floating):
        return _round_floats(image)
    return image


def _read_tensor(tensor: Any) -> Any:
    """Return a tensor as an array with its three colours last."""
    known = tensor.detach().cpu()
    array = (known.float() if known.is_floating_point() else known).numpy()
    if array.ndim != 3:
        return array
    if array.shape[0] == 3 and array.shape[2] == 3:
        shape = " x ".join(str(side) for side in array.shape)
        raise PlanError(
            f"a source is a tensor of {shape}: 3 colours x height x width, or height x width x 3 colours;"
            " pass an array of height x width x 3, e.g. tensor.permute(1, 2, 0).numpy()"
        )
    return np.ascontiguousarray(array.transpose(1, 2, 0)) if array.shape[0] == 3 else array


def _round_floats(image: Any) -> Any:
    if image.size and not (image.min() >= 0 and image.max() <= 1):  # also where a value is NaN
        raise PlanError(
            f"a source is an array of floats from {image.min():.4g} to {image.max():.4g}; expected 0 to 1,"
            " or uint8 from 0 to 255"
        )
    _log.info("floats from 0 to 1 are multiplied by 255 and rounded")
    return np.rint(image * 255.0).astype(np.uint8)
