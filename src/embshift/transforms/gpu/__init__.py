"""Device forms: transforms of albumentations in two halves, drawn in a worker, made on a device in batches.

The first half runs where pictures are decoded and knows no torch: it takes every parameter from the same
streams as the class that it stands in for, and writes down what the second half needs. The second is torch
alone, over as many views at once as it is given; it draws nothing from any state of torch's.
"""

import copy
import importlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np

from embshift.core.registry import Registry
from embshift.core.types import Coordinates, Pixels, Transform, View
from embshift.transforms.albumentations.adapter import AlbumentationsTransform
from embshift.transforms.albumentations.geometry import replayed
from embshift.transforms.checks import checked
from embshift.transforms.fast import Closeness, hastened
from embshift.transforms.parameters import drawn_values

__all__ = [
    "DEVICE",
    "DeviceForm",
    "DeviceTransform",
    "Draft",
    "DraftedView",
    "Drafting",
    "Values",
    "at_once",
    "deferred",
    "device_form",
    "drafted",
    "host_names",
    "maker",
]

Values: TypeAlias = Mapping[str, Any]
"""Arrays and numbers by name, of one view: small, since they pass from process to process."""

Draw: TypeAlias = Callable[[Any, Pixels], tuple[Values, dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceForm:
    """A class of albumentations that has a device form.

    Attributes:
        target: Name of the class.
        closeness: As of a `FastForm`, against the reference view of the same key.
        fits: Whether it does what an object of the class is set to do.
        draw: ``(object, pixels)`` to the values that `make` needs and the parameters drawn; imports no torch.
        make: Address, "package.module:function", of ``(pixels, values)``: a batch of originals, uint8 on a
            device, and the values of each, to as many views.
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
        target: Name of the class.
        closeness: How close its views are to the class's.
        make: Address of the making half, which is imported where a view is first made.
        fits: Whether it does what an object of the class is set to do.

    Returns:
        A decorator that gives the function back unchanged.

    Raises:
        PlanError: The class has a device form already.
    """

    def register(function: Function) -> Function:
        form = DeviceForm(target=target, closeness=closeness, fits=fits, draw=function, make=make)
        DEVICE.add(target, form)
        return function

    return register


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draft:
    """A view that has been drawn and is still to be made.

    Attributes:
        target: Key of its form in `DEVICE`.
        values: What the form's making half needs.
        parameters: The values that were drawn, ready for JSON.
        coordinates: Gives where each pixel comes from; None where every pixel stays at its place.
    """

    target: str
    values: Values
    parameters: Mapping[str, Any]
    coordinates: Callable[[], Coordinates] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DeviceTransform:
    """The device form of one object of albumentations.

    Attributes:
        template: The object, without random state; each call takes a copy of its own.
        form: What draws and makes the view.
    """

    template: Any
    form: DeviceForm

    def draft(self, pixels: Pixels, /, *, rng: np.random.Generator) -> Draft | View:
        """The view as drawn, or the picture itself where chance leaves it as it is."""
        called = copy.copy(self.template)
        seed = int.from_bytes(rng.bytes(16), "little")
        called.set_random_state(rng, random.Random(seed))
        if not called.should_apply():
            return View(pixels=pixels, parameters={"applied": False})
        values, called.params = self.form.draw(called, pixels)
        return Draft(
            target=self.form.target,
            values=values,
            parameters=drawn_values(called.params),
            coordinates=replayed([called], pixels.shape),
        )

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View:
        """The view, made on the CPU by itself."""
        draft = self.draft(pixels, rng=rng)
        if isinstance(draft, View):
            return draft
        import torch

        made = maker(draft.target)(torch.as_tensor(pixels[None]), [draft.values])
        return View(
            pixels=checked(made[0].numpy(), shape=pixels.shape),
            parameters=draft.parameters,
            coordinates=draft.coordinates,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DraftedView(View):
    """A view that is still to be made; the picture itself stands in its place.

    Attributes:
        target: Key of its form in `DEVICE`.
        values: What the form's making half needs.
    """

    target: str
    values: Values


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drafting:
    """A device form of which only the first half is done, where pictures are decoded.

    Attributes:
        transform: The whole.
    """

    transform: DeviceTransform

    def __call__(self, pixels: Pixels, /, *, rng: np.random.Generator) -> View:
        draft = self.transform.draft(pixels, rng=rng)
        if isinstance(draft, View):
            return draft
        return DraftedView(
            pixels=pixels,
            parameters=draft.parameters,
            coordinates=draft.coordinates,
            target=draft.target,
            values=draft.values,
        )


def maker(target: str, /) -> Callable[[Any, Sequence[Values]], Any]:
    """The making half of a form; imports torch."""
    module, _, name = DEVICE[target].make.partition(":")
    return cast("Callable[[Any, Sequence[Values]], Any]", getattr(importlib.import_module(module), name))


def deferred(transform: Transform) -> Transform:
    """The device form of a transform; the transform itself where there is none."""
    if not isinstance(transform, AlbumentationsTransform):
        return transform
    leaf = transform.template
    target = type(leaf).__name__
    if target not in DEVICE or type(leaf).__module__.split(".")[0] != "albumentations":
        return transform
    form = DEVICE[target]
    return DeviceTransform(template=leaf, form=form) if form.fits(leaf) else transform


def drafted(transform: Transform) -> Transform:
    """The first half of a transform's device form; its fast form where it has none, else the transform."""
    found = deferred(transform)
    return Drafting(transform=found) if isinstance(found, DeviceTransform) else hastened(transform)


def at_once(transform: Transform) -> Transform:
    """A transform that makes its views where it is called; it gives what its two halves give."""
    return transform.transform if isinstance(transform, Drafting) else transform


def host_names(transforms: Mapping[str, Transform]) -> Sequence[str]:
    """Names of the transforms that were asked for on a device and have no form there, in their order."""
    return [name for name, each in transforms.items() if not isinstance(each, (Drafting, DeviceTransform))]
