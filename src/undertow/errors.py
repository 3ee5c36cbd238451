"""The errors Undertow raises.

UndertowError
├── GraphError              the recorded forward pass cannot be read or swept
│   ├── GraphFreedError     its saved tensors are gone
│   └── SweptOnceError      a region of it can be swept only once
├── MissingRuleError        an algebra needs a local derivative that nobody stated
├── ExamplesMixError        the examples of a batch cannot be told apart
├── SpaceError              a vector does not fit the operator it is multiplied with
├── DerivationError         a backward pass that was written out cannot be run so
├── RegistryError           a table was written twice, or with a wrong key
├── StoreError              a run's folder is not one, is damaged, or cannot be written
├── CurvatureError          an operator has no spectrum, or none that can be found
├── ForecastError           a loss curve is too short, or a question reaches too far
├── NoiseError              too few observations for an error of the gradient noise
├── ShardedError            weights are spread over processes, and cannot be observed
├── LandscapeError          a direction does not fit the model, or a file holds another slice
├── StandstillError         a trial onward from where a training stands cannot be planned so
├── ShowError               a result has no picture, or none that is known of
├── PreflightError          a batch, or what is made of it, is not what a training needs
└── LaunchError             the script to run is not there or cannot be read
"""


class UndertowError(Exception):
    """Anything that Undertow refuses, with what, where, why it matters and what to do."""


class GraphError(UndertowError):
    """The recorded forward pass cannot be read or swept."""


class GraphFreedError(GraphError, RuntimeError):
    """The tensors that the forward pass saved have been freed by an earlier backward pass."""


class SweptOnceError(GraphError):
    """A region of the graph accumulates into `.grad` by itself, so it can be swept only once."""


class MissingRuleError(UndertowError):
    """An algebra that cannot borrow met an operation whose local derivative is not stated.

    Attributes:
        node: PyTorch's node of that operation.
    """

    def __init__(self, message: str, node: object = None):
        super().__init__(message)
        self.node = node


class ExamplesMixError(UndertowError):
    """The gradient of each example was asked for, and an operation lets the examples see each other."""


class SpaceError(UndertowError, ValueError):
    """A tangent or cotangent does not fit the operator it is multiplied with, or two operators each other."""


class ShardedError(UndertowError):
    """The weights that are trained are spread over several processes."""


class DerivationError(UndertowError):
    """A backward pass that was written out is no program any more, or not that of the example it is given."""


class RegistryError(UndertowError):
    """A table was written twice under one key, or with a key of the wrong type."""


class StoreError(UndertowError):
    """A run's folder is not one, is damaged, or cannot be written."""


class CurvatureError(UndertowError):
    """An operator has no spectrum, or none that can be found; or a point cannot be looked at so."""


class ForecastError(UndertowError):
    """A loss curve is too short to be extrapolated, or the question reaches farther than that can be."""


class NoiseError(UndertowError):
    """Too few examples, batches or runs to tell how far an estimate of the gradient noise may be off."""


class LandscapeError(UndertowError, ValueError):
    """A direction does not fit the model, a slice cannot be asked for so, or a file holds another one."""


class StandstillError(UndertowError, ValueError):
    """A trial onward from where a training stands that is too short, or has nothing to train."""


class PreflightError(UndertowError):
    """A batch that cannot be given to a model, or an output that is no loss."""


class ShowError(UndertowError):
    """A result that has no picture, or of whose showing nothing is known."""


class LaunchError(UndertowError):
    """The script to run is not there, or is not Python that compiles."""
