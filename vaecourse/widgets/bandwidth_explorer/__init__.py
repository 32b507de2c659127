"""The bandwidth explorer: how wide a kernel or a box should be, and which points can tell."""

from vaecourse.widgets.bandwidth_explorer.bandwidth_explorer import BandwidthExplorer

__all__ = ["BandwidthExplorer"]
