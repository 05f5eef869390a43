"""An estimator of real numbers, of several features."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_real, as_reals
from bbans.errors import ModelError
from bbans.models._parameters import Floats, normalised
from bbans.models._vectors import COVARIANCES, Covariance
from bbans.models.multivariate_gaussian_hmm import MultivariateGaussianHMM
from bbans.sklearn._base import Estimator, one_of

__all__ = ["GaussianHMM"]

_LEAST_WEIGHT = 1e-5  # that a sum of squares is divided by
_SINGULAR = 1e-12  # of the least variance in any direction, against the greatest


class GaussianHMM(Estimator):
    """An HMM whose states emit vectors of real numbers, with Gaussian noise.

    Parameters and attributes are called as those of ``hmmlearn.hmm.GaussianHMM``, and
    mean the same: scores are of densities. `freeze` is of integers.

    Parameters
    ----------
    n_components : int
        States.
    covariance_type : {"diag", "spherical", "full", "tied"}
        Whether features are independent, are so with the same variance, are not, or are
        not and all states have the same covariances.
    min_covar : float
        The least variance that training starts with.
    startprob_prior, transmat_prior : float or array_like
        Of the Dirichlet priors, of the attributes' shapes. 1, the default, adds nothing
        to the counts of training.
    means_prior, means_weight : float or array_like
        Observations that are added to those of each state: their mean, and how many
        they are.
    covars_prior, covars_weight : float or array_like
        What is added to each state's sum of squares, in every entry of a matrix, and
        how many observations more than 1 (more than n_features, of matrices) it counts
        for.
    algorithm, random_state, n_iter, tol, verbose
        As for `CategoricalHMM`.
    params, init_params : str
        As for `CategoricalHMM`, with "m" for `means_` and "c" for `covars_`.
    implementation : {"log", "scaling"}
        For hmmlearn's sake; the result is the same.

    Attributes
    ----------
    startprob_, transmat_, monitor_
        As of `CategoricalHMM`.
    means_ : ndarray of float64, shape (n_components, n_features)
    covars_ : ndarray of float64, shape (n_components, n_features, n_features)
        Matrices, of any type. To set it, pass the shape of the type: "diag"
        (n_components, n_features), "spherical" (n_components,), "tied" (n_features,
        n_features), or matrices for "full".
    model_ : bbans.MultivariateGaussianHMM
        The float model that these make.
    n_features_in_ : int
        Columns of X.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = np.repeat([[0.0, 5.0], [9.0, 1.0]], 50, axis=0) + rng.normal(size=(100, 2))
    >>> estimator = GaussianHMM(2, "full", random_state=0).fit(X)
    >>> int((np.diff(estimator.predict(X)) != 0).sum())
    1

    References
    ----------
    Huang, Acero and Hon, Spoken Language Processing (2001), section 9.6: the priors.
    """

    _letters: ClassVar[dict[str, str]] = {
        "s": "startprob_",
        "t": "transmat_",
        "m": "means_",
        "c": "covars_",
    }

    def __init__(
        self,
        n_components: int = 1,
        covariance_type: Covariance = "diag",
        min_covar: float = 1e-3,
        startprob_prior: ArrayLike = 1.0,
        transmat_prior: ArrayLike = 1.0,
        means_prior: ArrayLike = 0.0,
        means_weight: ArrayLike = 0.0,
        covars_prior: ArrayLike = 1e-2,
        covars_weight: float = 1.0,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "stmc",
        init_params: str = "stmc",
        implementation: str = "log",
    ) -> None:
        super().__init__(
            n_components=n_components,
            startprob_prior=startprob_prior,
            transmat_prior=transmat_prior,
            algorithm=algorithm,
            random_state=random_state,
            n_iter=n_iter,
            tol=tol,
            verbose=verbose,
            params=params,
            init_params=init_params,
            implementation=implementation,
        )
        self.covariance_type = covariance_type
        self.min_covar = min_covar
        self.means_prior = means_prior
        self.means_weight = means_weight
        self.covars_prior = covars_prior
        self.covars_weight = covars_weight

    @property
    def n_features(self) -> int:
        """Columns of `means_`, or of X while there are none."""
        if hasattr(self, "means_"):
            return int(np.shape(self.means_)[-1])
        return int(self.n_features_in_)

    @property
    def covars_(self) -> Floats:
        """Covariances, a matrix for each state, whatever their type."""
        return self._matrices(self._covars_, self.n_features)

    @covars_.setter
    def covars_(self, covars: ArrayLike) -> None:
        self._covars_ = as_reals(covars, "covars_").copy()

    def freeze(
        self, prec: int = 24, *, predictive: bool = False, step: float = 1.0
    ) -> Any:
        """Turn the parameters into integer tables, with which data are compressed.

        Parameters
        ----------
        prec, predictive
            As for `bbans.MultivariateGaussianHMM.freeze`.
        step : float
            The frozen model codes ``np.rint(X / step).astype(np.int64)``.

        Returns
        -------
        FrozenModel

        Raises
        ------
        ModelError
            If an argument is out of range, or attributes are no model.
        """
        step = as_real(step, "step")
        if not 0 < step < math.inf:
            raise ModelError(f"step must be above 0 and finite, not {step}")
        model = self._check()
        scaled = MultivariateGaussianHMM(
            model.initial,
            model.transition,
            model.means / step,
            model.covariances / (step * step),
            covariance_type=model.covariance_type,
        )
        return scaled.freeze(prec=prec, predictive=predictive)

    def _settings(self) -> tuple[int, float]:
        one_of(self.covariance_type, "covariance_type", COVARIANCES)
        return super()._settings()

    def _observed(self, X: NDArray[Any]) -> Floats:
        return X.astype(np.float64)

    def _start(
        self, sequences: list[NDArray[Any]], seed: np.random.Generator
    ) -> MultivariateGaussianHMM:
        return MultivariateGaussianHMM.fit(
            sequences,
            self.n_components,
            covariance_type=self.covariance_type,
            min_covar=self.min_covar,
            n_iter=0,
            seed=seed,
            progress=False,
        )

    def _model(
        self, values: dict[str, Any], observed: NDArray[Any] | None
    ) -> MultivariateGaussianHMM:
        initial, transition = self._chain(values)
        K = initial.size
        means = as_reals(values["means_"], "means_")
        covariances = as_reals(values["covars_"], "covars_")
        if means.ndim != 2 or len(means) != K:
            raise ModelError(
                f"means_ must have shape ({K}, n_features), not {means.shape}"
            )
        D = means.shape[1]
        if observed is not None and observed.shape[1] != D:
            raise ModelError(f"X has {observed.shape[1]} features, and means_ {D}")
        return MultivariateGaussianHMM(
            initial,
            transition,
            means,
            covariances,
            covariance_type=self.covariance_type,
        )

    def _values(self, model: MultivariateGaussianHMM) -> dict[str, Floats]:
        return {
            "startprob_": model.initial,
            "transmat_": model.transition,
            "means_": model.means,
            "covars_": model.covariances,
        }

    def _drawn(
        self, model: Any, n_samples: int, seed: np.random.Generator
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        x, states = model.sample(n_samples, seed=seed, rounded=False)
        return x, states

    def _keep(self, model: Any, observed: NDArray[Any]) -> None:
        values = self._values(model)
        values["covars_"] = self._compact(values["covars_"])
        for name, value in values.items():
            setattr(self, name, np.array(value))

    def _updated(
        self, model: MultivariateGaussianHMM, statistics: Any
    ) -> dict[str, Floats]:
        counts = self._counted(statistics, model)
        weight = counts.weight[:, None]
        prior_mean = self._prior("means_prior") - counts.centre
        prior_weight = _per_state(self._prior("means_weight"))
        old = model.means - counts.centre
        total = weight + prior_weight
        alive = total > 1e-290
        sums = counts.first + prior_weight * prior_mean
        means = np.where(alive, sums / np.where(alive, total, 1.0), old)

        # Of squares around the means that hold after this update.
        centre = means if "m" in self.params else old
        away = centre - prior_mean
        cross = counts.first[:, :, None] * centre[:, None, :]
        squares = counts.second - cross - np.swapaxes(cross, 1, 2)
        squares += weight[:, :, None] * _outer(centre)
        squares += prior_weight[..., None] * _outer(away)
        return {
            "startprob_": normalised(counts.initial, model.initial),
            "transmat_": normalised(counts.transition, model.transition),
            "means_": means + counts.centre,
            "covars_": self._covariances(squares, counts.weight),
        }

    def _covariances(self, squares: Floats, weight: Floats) -> Floats:
        """Covariances of sums of squares, shape (K, D, D), and numbers of vectors."""
        D = squares.shape[1]
        prior = self._prior("covars_prior")
        prior_weight = as_real(self.covars_weight, "covars_weight")
        if self.covariance_type in ("full", "tied"):
            tied = self.covariance_type == "tied"
            divisor = max(prior_weight - D, 0) + (weight.sum() if tied else weight)
            divisor = np.maximum(divisor, _LEAST_WEIGHT)
            summed = prior + (squares.sum(axis=0) if tied else squares)
            matrices = summed / np.reshape(divisor, (-1, 1, 1))
            matrices = np.array([self._definite(matrix) for matrix in matrices])
            return np.repeat(matrices, len(weight), axis=0) if tied else matrices
        divisor = np.maximum(max(prior_weight - 1, 0) + weight, _LEAST_WEIGHT)
        summed = _per_state(prior) + np.diagonal(squares, axis1=1, axis2=2)
        variances = summed / divisor[:, None]
        if self.covariance_type == "spherical":
            variances = variances.mean(axis=1, keepdims=True)
        variances = np.where(variances > 0, variances, self.min_covar)
        matrices = variances[:, :, None] * np.eye(D)
        return matrices

    def _definite(self, matrix: Floats) -> Floats:
        """A covariance; directions without variance get the least."""
        matrix = (matrix + matrix.T) / 2
        values, vectors = np.linalg.eigh(matrix)
        if values[0] > _SINGULAR * values[-1]:
            return matrix
        definite: Floats = (vectors * np.maximum(values, self.min_covar)) @ vectors.T
        definite = (definite + definite.T) / 2
        return definite

    def _compact(self, matrices: Floats) -> Floats:
        """Covariances as `covars_` is set."""
        compact = matrices
        if self.covariance_type == "tied":
            compact = matrices[0]
        elif self.covariance_type != "full":
            compact = np.diagonal(matrices, axis1=1, axis2=2)
        if self.covariance_type == "spherical":
            compact = compact[:, 0]
        return compact

    def _matrices(self, covars: Floats, D: int) -> Floats:
        """What `covars_` was set to, as matrices, shape (K, D, D)."""
        K = self.n_components
        shapes: dict[str, tuple[int, ...]] = {
            "diag": (K, D),
            "spherical": (K,),
            "tied": (D, D),
            "full": (K, D, D),
        }
        one_of(self.covariance_type, "covariance_type", COVARIANCES)
        shape = shapes[self.covariance_type]
        if self.covariance_type == "spherical" and covars.size == K:
            covars = covars.reshape(K)  # of (K, 1) too
        if covars.shape != shape:
            raise ModelError(
                f"covars_ must have shape {shape} for "
                f"covariance_type={self.covariance_type!r}, not {covars.shape}"
            )
        if self.covariance_type == "full":
            return covars.copy()
        if self.covariance_type == "tied":
            return np.repeat(covars[None], K, axis=0)
        matrices: Floats = covars.reshape(K, -1, 1) * np.eye(D)
        return matrices


def _outer(vectors: Floats) -> Floats:
    """Of each vector with itself, shape (K, D, D)."""
    return vectors[:, :, None] * vectors[:, None, :]


def _per_state(values: Floats) -> Floats:
    """A number for all states, or one for each, against rows of features."""
    return values[:, None] if values.ndim == 1 else values
