"""The Frechet distance between two sets of features as if both were normal, exact where covariances have no full rank.

Applied to the features of an image and of its reconstruction under a Markov (patch) discriminator it is the Frechet
Markov distance (FMD). Source: Niu et al. 2021 (MAA), Eq. 7; Dowson and Landau 1982.
"""

import jax
import jax.numpy as jnp

EXACT = jax.lax.Precision.HIGHEST  # An accelerator's shorter products (TF32) spoil the distance of near sets.


def distance(a: jax.Array, b: jax.Array) -> jax.Array:
    """|mu_a - mu_b|^2 + Tr(S_a + S_b - 2 (S_a S_b)^(1/2)) for features a and b [..., N, d] -> [...], at least 0.

    N samples (positions) of d dimensions (channels); fewer samples than dimensions are fine. float32 unless given
    float64. For scores only: its gradient is undefined where the sets are equal or a covariance is singular.

    With A, B the centred features over sqrt(N - 1), Tr (S_a S_b)^(1/2) is the nuclear norm of A B': the sum of its
    singular values. Their squares, the eigenvalues of S_a S_b, would lose half of the digits, and a matrix root of a
    singular product all of them: in float32 the former is 2e-2 off where this is 5e-6. Where N > d, A and B give way to
    the R of their QR decomposition.
    """
    if a.shape != b.shape or a.ndim < 2 or a.shape[-2] < 2:
        raise ValueError(
            f"features of {a.shape} and {b.shape}; two sets alike of [..., N, d], N at least 2, are needed"
        )
    means = jnp.sum(jnp.square(jnp.mean(a, -2) - jnp.mean(b, -2)), -1)
    a, b = scatter(a), scatter(b)
    product = jnp.matmul(a, jnp.swapaxes(b, -1, -2), precision=EXACT)
    shared = jnp.sum(jnp.linalg.svd(product, compute_uv=False), -1)
    total = means + jnp.sum(jnp.square(a), (-2, -1)) + jnp.sum(jnp.square(b), (-2, -1)) - 2 * shared
    return jnp.maximum(total, 0)


def scatter(features: jax.Array) -> jax.Array:
    """[..., N, d] -> [..., min(N, d), d], whose product with itself is the covariance."""
    count, width = features.shape[-2:]
    centred = (features - jnp.mean(features, -2, keepdims=True)) / (count - 1) ** 0.5
    return jnp.linalg.qr(centred, mode="r") if count > width else centred
