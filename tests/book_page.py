"""What tests of the built pages share: the devices that show them, and when a page is ready."""

DEVICES = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}

# What follows the theme or the width has done so: observers answer in frames, some colours fade.
STILL = """async () => {
  const frames = async (count) => {
    while (count--) await new Promise(requestAnimationFrame);
  };
  await frames(4);
  const fading = document.getAnimations().filter((one) => one instanceof CSSTransition);
  const late = new Promise((done) => setTimeout(done, 1000)); // out of sight some never finish
  await Promise.race([Promise.allSettled(fading.map((one) => one.finished)), late]);
  await frames(2);
}"""


def set_theme(tab, theme):
    """Have the page follow a system that is "light" or "dark", and wait until it does."""
    tab.emulate_media(color_scheme=theme)
    tab.wait_for_function("theme => document.documentElement.dataset.theme === theme", arg=theme)
    tab.evaluate(STILL)
