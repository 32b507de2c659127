"""The playground: a VAE that trains in the page."""

from vaecourse.widgets.playground.playground import Playground

__all__ = ["Playground"]
