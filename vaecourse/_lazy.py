"""Names of a package that are loaded when they are first used."""

from importlib import import_module


def lazy(package, modules, submodules=()):
    """`__getattr__` and `__dir__` of a package.

    modules: for each name the submodule that has it. submodules: those that are names themselves;
    the modules of names can be asked for, too, but are not listed.
    """

    def get(name):
        if name in modules:
            return getattr(import_module(f"{package}.{modules[name]}"), name)
        if name in submodules or name in modules.values():
            return import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get, lambda: sorted([*modules, *submodules])
