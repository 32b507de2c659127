"""The EM stepper: place three components by hand, and climb by E and M steps."""

from vaecourse.widgets.em_stepper.em_stepper import EMStepper

__all__ = ["EMStepper"]
