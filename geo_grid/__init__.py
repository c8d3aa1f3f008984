"""geo_grid: the map a city's command centre runs on."""


def __getattr__(name: str) -> str:
    """Return `__version__`; only when it is asked for, since to read it takes a tenth of a core's second at each start."""
    if name != "__version__":
        raise AttributeError(name)
    from importlib.metadata import version

    return version("geo-grid")
