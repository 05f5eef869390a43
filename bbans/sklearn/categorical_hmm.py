"""An estimator of categories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_integer
from bbans.errors import ModelError
from bbans.frozen.alphabet import MAX_SYMBOLS
from bbans.models._parameters import Floats, as_distributions
from bbans.models.hmm import HMM
from bbans.sklearn._base import Series

__all__ = ["CategoricalHMM"]


class CategoricalHMM(Series):
    """An HMM whose states emit categories, the integers 0 .. n_features - 1.

    X is of shape (n_samples, 1) or (n_samples,). Parameters and attributes are called
    as those of ``hmmlearn.hmm.CategoricalHMM``, and mean the same.

    Parameters
    ----------
    n_components : int
        States.
    startprob_prior, transmat_prior, emissionprob_prior : float or array_like
        Of the Dirichlet priors, of the attributes' shapes. 1, the default, adds nothing
        to the counts of training.
    n_features : int, optional
        Categories. By default as many as the data have, from 0 to the greatest.
    algorithm : {"viterbi", "map"}
        What `predict` finds, as `decode` explains.
    random_state : int, RandomState or Generator, optional
        For the start of training, and `sample`.
    n_iter : int
        Updates at most.
    tol : float
        Training ends with an update that gains less, in nats.
    verbose : bool
        Whether to write the number of each update, ln P(X) and its gain to stderr.
    params, init_params : str
        What training updates, and what it starts itself though the attribute is set:
        "s" for `startprob_`, "t" for `transmat_`, "e" for `emissionprob_`.
    implementation : {"log", "scaling"}
        For hmmlearn's sake; the result is the same.

    Attributes
    ----------
    startprob_ : ndarray of float64, shape (n_components,)
        P(first state).
    transmat_ : ndarray of float64, shape (n_components, n_components)
        P(next state | state), one distribution per row.
    emissionprob_ : ndarray of float64, shape (n_components, n_features)
        P(category | state), one distribution per row.
    monitor_ : ConvergenceMonitor
        Of the training: `history`, `iter` and `converged`.
    model_ : bbans.HMM
        The float model that these make.
    n_features_in_ : int
        Columns of X: 1.

    Examples
    --------
    >>> import bbans, numpy as np
    >>> X = np.tile([[0], [1], [2], [2]], (50, 1))
    >>> estimator = CategoricalHMM(2, random_state=0).fit(X)
    >>> estimator.predict(X).shape
    (200,)
    >>> model = estimator.freeze()
    >>> packed = bbans.compress(X, model)
    >>> bool((bbans.decompress(packed, model) == X).all())
    True
    """

    _letters: ClassVar[dict[str, str]] = {
        "s": "startprob_",
        "t": "transmat_",
        "e": "emissionprob_",
    }

    def __init__(
        self,
        n_components: int = 1,
        startprob_prior: ArrayLike = 1.0,
        transmat_prior: ArrayLike = 1.0,
        *,
        emissionprob_prior: ArrayLike = 1.0,
        n_features: int | None = None,
        algorithm: str = "viterbi",
        random_state: Any = None,
        n_iter: int = 10,
        tol: float = 1e-2,
        verbose: bool = False,
        params: str = "ste",
        init_params: str = "ste",
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
        self.emissionprob_prior = emissionprob_prior
        self.n_features = n_features

    @property
    def n_features(self) -> int | None:
        """Categories: the parameter, or by default the columns of `emissionprob_`."""
        # Beside a property of its name, which goes before it, as scikit-learn looks
        # for parameters there.
        n_features: int | None = self.__dict__["n_features"]
        if n_features is None and hasattr(self, "emissionprob_"):
            return int(np.shape(self.emissionprob_)[-1])
        return n_features

    @n_features.setter
    def n_features(self, n_features: int | None) -> None:
        self.__dict__["n_features"] = n_features

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters, as they were given: training changes none."""
        params: dict[str, Any] = super().get_params(deep)
        return params | {"n_features": self.__dict__["n_features"]}

    def _start(self, sequences: list[NDArray[Any]], seed: np.random.Generator) -> HMM:
        M = self.__dict__["n_features"] if "e" in self.init_params else self.n_features
        if M is None:
            M = max(int(x.max()) for x in sequences) + 1
        return HMM.fit(
            sequences,
            self.n_components,
            alphabet=as_integer(M, "n_features", 1, MAX_SYMBOLS),
            n_iter=0,
            seed=seed,
            progress=False,
        )

    def _model(self, values: dict[str, Any], observed: NDArray[Any] | None) -> HMM:
        initial, transition = self._chain(values)
        emission = as_distributions(values["emissionprob_"], "emissionprob_", 2)
        M = self.__dict__["n_features"]
        shape = initial.size, emission.shape[1] if M is None else M
        if emission.shape != shape:
            raise ModelError(
                f"emissionprob_ must have shape {shape}, (n_components, n_features), "
                f"not {emission.shape}"
            )
        return HMM(initial, transition, emission)

    def _values(self, model: HMM) -> dict[str, Floats]:
        return {
            "startprob_": model.initial,
            "transmat_": model.transition,
            "emissionprob_": model.emission,
        }

    def _updated(self, model: HMM, statistics: Any) -> dict[str, Floats]:
        counts = self._counted(statistics, model)
        prior = self._prior("emissionprob_prior") - 1
        counts = replace(counts, emission=np.maximum(counts.emission + prior, 0.0))
        return self._values(model.maximise(counts, pseudo_count=0.0))
