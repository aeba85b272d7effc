"""Structural similarity by scikit-image, with the settings of the paper that proposed it."""

from skimage.metrics import structural_similarity


def ssim(reference, view):
    return structural_similarity(
        reference,
        view,
        channel_axis=2,
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
