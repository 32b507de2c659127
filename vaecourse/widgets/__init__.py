"""The widgets of the course: figures that answer. Each is loaded when it is first used."""

from vaecourse._lazy import lazy

_MODULES = {
    "BandwidthExplorer": "bandwidth_explorer",
    "CorrelationExplorer": "correlation_explorer",
    "DiffusionExplorer": "diffusion_explorer",
    "EMStepper": "em_stepper",
    "ElboExplorer": "elbo_explorer",
    "FamilyExplorer": "family_explorer",
    "FrechetExplorer": "frechet_explorer",
    "GradientExplorer": "gradient_explorer",
    "KLExplorer": "kl_explorer",
    "LatentExplorer": "latent_explorer",
    "MissingExplorer": "missing_explorer",
    "PipelineExplorer": "pipeline_explorer",
    "Playground": "playground",
    "PrecisionExplorer": "precision_explorer",
    "TrainingExplorer": "training_explorer",
}

__all__ = sorted(_MODULES)
__getattr__, __dir__ = lazy(__name__, _MODULES)
