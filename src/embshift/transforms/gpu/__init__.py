"""Device forms: albumentations transforms in two halves, drawn in a worker and made in batches on a device.

The first half runs where images are decoded and does not import torch. It draws every parameter from the
same random streams as the class that it replaces, and returns what the second half needs. The second half
uses torch alone and makes any number of views at once; it draws no random numbers from torch.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np

from embshift.core.registry import Registry
from embshift.core.types import Pixels, Transform, View
from embshift.transforms.albumentations.forms import copy_with_streams, find_form
from embshift.transforms.albumentations.geometry import make_replayed_map
from embshift.transforms.checks import check_pixels
from embshift.transforms.fast import Closeness, to_fast_form
from embshift.transforms.parameters import select_drawn_values

__all__ = [
    "DEVICE",
    "DeviceForm",
    "DeviceTransform",
    "DraftedView",
    "DraftingTransform",
    "KernelValues",
    "device_form",
    "list_without_device_form",
    "load_maker",
    "to_complete_form",
    "to_device_form",
    "to_drafting_form",
]

KernelValues: TypeAlias = Mapping[str, Any]
"""What a making half needs for one view: arrays and numbers by name, small, as processes exchange them."""

Draw: TypeAlias = Callable[[Any, Pixels], tuple[KernelValues, dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceForm:
    """The device form of a class of albumentations.

    Attributes:
        target: The name of the class.
        closeness: How close its views are to the reference views of the same key, as of a `FastForm`.
        fits: Whether it supports the settings of an object of the class.
        draw: ``(object, pixels)`` to the values that `make` needs and the drawn parameters; imports no torch.
        make: The address, "package.module:function", of the making half. It takes ``(pixels, values)``, which
            are a batch of originals, uint8 on a device, and the values of each, and returns as many views.
    """

    target: str
    closeness: Closeness
    fits: Callable[[Any], bool]
    draw: Draw
    make: str


DEVICE: Registry[DeviceForm] = Registry(
    kind="device form", packages=("embshift.transforms.gpu",), group="embshift.device_transforms"
)

Function = TypeVar("Function", bound=Draw)


def device_form(
    target: str, /, *, closeness: Closeness, make: str, fits: Callable[[Any], bool] = lambda _: True
) -> Callable[[Function], Function]:
    """Register a function ``(object, pixels)`` as the drawing half of a device form.

    Args:
        target: The name of the class.
        closeness: How close its views are to those of the class.
        make: The address of the making half, which is imported when a view is first made.
        fits: Whether it supports the settings of an object of the class.

    Returns:
        A decorator that returns the function unchanged.

    Raises:
        PlanError: If the class already has a device form.
    """

    def register(function: Function) -> Function:
        form = DeviceForm(target=target, closeness=closeness, fits=fits, draw=function, make=make)
        DEVICE.add(target, form)
        return function

    return register


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DraftedView(View):
    """A view that is drawn but not made yet; until then its pixels are those of the original.

    Attributes:
        target: The key of its form in `DEVICE`.
        values: What the form's making half needs.
    """

    target: str
    values: KernelValues


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeviceTransform:
    """The device form of one object of albumentations.

    Attributes:
        template: The object, without random state; each call makes its own copy.
        form: What draws and makes the view.
    """

    template: Any
    form: DeviceForm

    def draft(self, pixels: Pixels, /, *, rng: np.random.Generator) -> DraftedView | View:
        """Draw a view; return the image itself as a plain `View` if chance leaves it unchanged."""
        called = copy_with_streams(self.template, rng)
        if not called.should_apply():
            return View(pixels=pixels, parameters={"applied": False})
        values, called.params = self.form.draw(called, pixels)
        return DraftedView(
            pixels=pixels,
            parameters=select_drawn_values(called.params),
            coordinates=make_replayed_map([called], pixels.shape),
            target=self.form.target,
            values=values,
        )

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View:
        """Draw a view and make it on the CPU, in a batch of one."""
        draft = self.draft(pixels, rng=rng)
        if not isinstance(draft, DraftedView):
            return draft
        import torch

        made = load_maker(draft.target)(torch.as_tensor(pixels[None]), [draft.values])
        return View(
            pixels=check_pixels(made[0].numpy(), shape=pixels.shape),
            parameters=draft.parameters,
            coordinates=draft.coordinates,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DraftingTransform:
    """The first half of a device form, which runs where images are decoded.

    Attributes:
        transform: The complete device form.
    """

    transform: DeviceTransform

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View:
        return self.transform.draft(pixels, rng=rng)


def load_maker(target: str, /) -> Callable[[Any, Sequence[KernelValues]], Any]:
    """Import the making half of a form, and torch with it."""
    module, _, name = DEVICE[target].make.partition(":")
    return cast(
        "Callable[[Any, Sequence[KernelValues]], Any]", getattr(importlib.import_module(module), name)
    )


def to_device_form(transform: Transform) -> Transform:
    """Return the device form of a transform, or the transform itself if it has none."""
    found = find_form(transform, DEVICE)
    return transform if found is None else DeviceTransform(template=found[0], form=found[1])


def to_drafting_form(transform: Transform) -> Transform:
    """Return the first half of a transform's device form; if it has none, its fast form or itself."""
    found = to_device_form(transform)
    return (
        DraftingTransform(transform=found) if isinstance(found, DeviceTransform) else to_fast_form(transform)
    )


def to_complete_form(transform: Transform) -> Transform:
    """Return a transform that makes its views when it is called, with the same result as its two halves."""
    return transform.transform if isinstance(transform, DraftingTransform) else transform


def list_without_device_form(transforms: Mapping[str, Transform]) -> Sequence[str]:
    """Return the names of those transforms that are not device forms, in their order."""
    forms = (DraftingTransform, DeviceTransform)
    return [name for name, each in transforms.items() if not isinstance(each, forms)]
