"""The colours of the course: one for one idea, in formulas, figures and widgets.

The ideas wear Okabe and Ito's palette, which survives colour blindness. The ten digit colours
were chosen together: each stands out by 3 to 1 from a white and from a dark page, and any two
stay apart for the common kinds of colour blindness; a label always says the digit again.
"""

COLOURS = {
    "generative": "#0072B2",  # p, θ, the decoder
    "inference": "#D55E00",  # q, φ, the encoder
    "latent": "#009E73",  # z and samples of it
    "gap": "#B0578D",  # the gap of the bound, KL
    "exact": "#4B5563",  # evidence and other exact values
    "data": "#111827",  # x
}

# Letters on a light page: 4.5 to 1 is asked of them where a line needs 3 to 1. The same hues.
COLOURS_OF_TEXT = {"inference": "#B84F00", "latent": "#007D5B", "gap": "#A94F86"}

COLOURS_DARK = {
    "generative": "#56B4E9",
    "inference": "#F0924C",
    "latent": "#3CC9A3",
    "gap": "#E39AC6",
    "exact": "#C4CAD3",
    "data": "#F3F4F6",
}

DIGIT_COLOURS = (
    "#1E87FF",
    "#B43C00",
    "#A587C3",
    "#C38700",
    "#C32D87",
    "#784BC3",
    "#FF5A69",
    "#4BA578",
    "#00782D",
    "#2D7896",
)


def contrast(one, other):
    """The contrast ratio of two colours "#rrggbb", from 1 to 21, by WCAG 2."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour):
    share = (int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5))
    linear = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in share)
    return sum(weight * v for weight, v in zip((0.2126, 0.7152, 0.0722), linear))


# For letters on them: of black and white the one that stands out more, by 4.58 to 1 at least.
_INKS = {"black": "#000000", "white": "#ffffff"}
DIGIT_LETTERS = {
    colour: max(_INKS, key=lambda ink: contrast(_INKS[ink], colour)) for colour in DIGIT_COLOURS
}
