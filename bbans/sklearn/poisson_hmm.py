"""An estimator of counts."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_integer, as_reals
from bbans.errors import ModelError
from bbans.frozen.alphabet import MAX_SYMBOLS
from bbans.models._parameters import Floats
from bbans.models.poisson_hmm import PoissonHMM as Model
from bbans.sklearn._base import Series

__all__ = ["PoissonHMM"]


class PoissonHMM(Series):
    """An HMM whose states emit counts by Poisson's law.

    X is of shape (n_samples, 1) or (n_samples,). Parameters and attributes are called
    as those of ``hmmlearn.hmm.PoissonHMM``, and mean the same, of one feature.

    Parameters
    ----------
    n_components : int
        States.
    startprob_prior, transmat_prior : float or array_like
        Of the Dirichlet priors, of the attributes' shapes. 1, the default, adds nothing
        to the counts of training.
    lambdas_prior, lambdas_weight : float or array_like, shape (n_components,)
        A sum of counts, and a number of them, that are added to each state's own.
    algorithm, random_state, n_iter, tol, verbose
        As for `CategoricalHMM`.
    params, init_params : str
        As for `CategoricalHMM`, with "l" for `lambdas_`.
    implementation : {"log", "scaling"}
        For hmmlearn's sake; the result is the same.
    high : int, optional
        The greatest count that the frozen model codes, at most 65535. By default the
        greatest of training, or more if the states are likely to exceed that.

    Attributes
    ----------
    startprob_, transmat_, monitor_, n_features_in_
        As of `CategoricalHMM`.
    lambdas_ : ndarray of float64, shape (n_components, 1)
        The states' means.
    high_ : int
        The greatest count of training.
    model_ : bbans.PoissonHMM
        The float model that these make.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).poisson([[2], [9]] * 100)
    >>> estimator = PoissonHMM(2, random_state=0).fit(X)
    >>> estimator.lambdas_.shape
    (2, 1)
    """

    _letters: ClassVar[dict[str, str]] = {
        "s": "startprob_",
        "t": "transmat_",
        "l": "lambdas_",
    }

    def __init__(
        self,
        n_components: int = 1,
        startprob_prior: ArrayLike = 1.0,
        transmat_prior: ArrayLike = 1.0,
        lambdas_prior: ArrayLike = 0.0,
        lambdas_weight: ArrayLike = 0.0,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "stl",
        init_params: str = "stl",
        implementation: str = "log",
        *,
        high: int | None = None,
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
        self.lambdas_prior = lambdas_prior
        self.lambdas_weight = lambdas_weight
        self.high = high

    @property
    def n_features(self) -> int:
        """Columns of `lambdas_`: 1."""
        return int(np.shape(self.lambdas_)[-1])

    def _start(self, sequences: list[NDArray[Any]], seed: np.random.Generator) -> Model:
        return Model.fit(
            sequences,
            self.n_components,
            high=self.high,
            n_iter=0,
            seed=seed,
            progress=False,
        )

    def _model(self, values: dict[str, Any], observed: NDArray[Any] | None) -> Model:
        initial, transition = self._chain(values)
        rates = as_reals(values["lambdas_"], "lambdas_")
        if rates.shape != (initial.size, 1):
            raise ModelError(
                f"lambdas_ must have shape ({initial.size}, 1), (n_components, 1), not "
                f"{rates.shape}: models of counts have one feature"
            )
        high = self.high
        if high is None:
            mean = max(float(rates.max()), 0.0)
            tail = math.ceil(min(mean + 9 * math.sqrt(mean) + 9, MAX_SYMBOLS - 1))
            seen = getattr(self, "high_", 0) if observed is None else observed.max()
            high = max(tail, int(seen))
        return Model(initial, transition, rates[:, 0], as_integer(high, "high", 0))

    def _values(self, model: Model) -> dict[str, Floats]:
        return {
            "startprob_": model.initial,
            "transmat_": model.transition,
            "lambdas_": model.rates[:, None],
        }

    def _keep(self, model: Model, observed: NDArray[Any]) -> None:
        super()._keep(model, observed)
        self.high_ = int(observed.max())

    def _updated(self, model: Model, statistics: Any) -> dict[str, Floats]:
        counts = self._counted(statistics, model)
        values = self._values(model.maximise(counts, pseudo_count=0.0))
        weight = counts.emission.sum(axis=1) + self._prior("lambdas_weight")
        total = counts.emission @ np.arange(model.n_symbols)
        total = total + self._prior("lambdas_prior")
        rates = np.where(
            weight > 1e-290, total / np.maximum(weight, 1e-290), model.rates
        )
        return values | {"lambdas_": rates[:, None]}
