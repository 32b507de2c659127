"""The pipeline explorer: a whole VAE in one live picture."""

from vaecourse.widgets.pipeline_explorer.pipeline_explorer import PipelineExplorer, encoder_script

__all__ = ["PipelineExplorer", "encoder_script"]
