"""The two version strings.

`__version__` is the release, read from the installed package's metadata. `__api_version__` is the
version of the library interface: MAJOR for a removed or changed stable symbol, MINOR for a new
stable symbol, PATCH for a change that does not touch the public surface.
"""

from importlib.metadata import version

__all__ = ["__api_version__", "__version__"]

__version__: str = version("forgelm")
__api_version__: str = "1.0.0"
