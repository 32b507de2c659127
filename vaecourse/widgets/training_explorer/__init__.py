"""The training explorer: scrub through the training of small models on data in the plane."""

from vaecourse.widgets.training_explorer.training_explorer import TrainingExplorer

__all__ = ["TrainingExplorer"]
