"""What `bbans` exports, for type checkers: at run time a name is loaded when used."""

from bbans import codecs as codecs
from bbans import compressai as compressai
from bbans import distributions as distributions
from bbans import errors as errors
from bbans import formats as formats
from bbans import frozen as frozen
from bbans import integrations as integrations
from bbans import message as message
from bbans import models as models
from bbans import networks as networks
from bbans import particles as particles
from bbans import plot as plot
from bbans import records as records
from bbans.api import compress as compress
from bbans.api import compress_file as compress_file
from bbans.api import costs as costs
from bbans.api import decode as decode
from bbans.api import decompress as decompress
from bbans.api import decompress_file as decompress_file
from bbans.api import encode as encode
from bbans.api import load as load
from bbans.api import open as open
from bbans.api import save as save
from bbans.codecs.check import check_codec as check_codec
from bbans.codecs.check import check_model as check_model
from bbans.errors import BbansError as BbansError
from bbans.errors import CorruptError as CorruptError
from bbans.errors import FormatError as FormatError
from bbans.errors import LimitError as LimitError
from bbans.errors import ModelError as ModelError
from bbans.errors import SymbolError as SymbolError
from bbans.errors import WrongModelError as WrongModelError
from bbans.frozen.alphabet import Alphabet as Alphabet
from bbans.frozen.context_mixer import FrozenContextMixer as FrozenContextMixer
from bbans.frozen.deep_ssm import FrozenDeepSSM as FrozenDeepSSM
from bbans.frozen.gaussian_hmm import FrozenGaussianHMM as FrozenGaussianHMM
from bbans.frozen.model_file import default_model as default_model
from bbans.frozen.model_file import load_model as load_model
from bbans.frozen.model_file import text_model as text_model
from bbans.frozen.network import FrozenNetwork as FrozenNetwork
from bbans.frozen.tree import FrozenTree as FrozenTree
from bbans.frozen.vae import FrozenVAE as FrozenVAE
from bbans.message.message import Message as Message
from bbans.models.arhmm import ARHMM as ARHMM
from bbans.models.context_mixer import ContextMixer as ContextMixer
from bbans.models.deep_ssm import DeepSSM as DeepSSM
from bbans.models.factorial_hmm import FactorialHMM as FactorialHMM
from bbans.models.gaussian_hmm import GaussianHMM as GaussianHMM
from bbans.models.hierarchical_hmm import HierarchicalHMM as HierarchicalHMM
from bbans.models.hmm import HMM as HMM
from bbans.models.latent_tree import LatentTree as LatentTree
from bbans.models.lgssm import LGSSM as LGSSM
from bbans.models.multivariate_gaussian_hmm import (
    MultivariateGaussianHMM as MultivariateGaussianHMM,
)
from bbans.models.poisson_hmm import PoissonHMM as PoissonHMM
from bbans.models.vae import VAE as VAE
from bbans.records.codec import RecordCodec as RecordCodec
from bbans.records.file import Records as Records

__version__: str
