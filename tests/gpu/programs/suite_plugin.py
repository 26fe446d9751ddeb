"""pytest plugin of suites.py: some tests of each file, and what suites expect of a configuration of their own."""
import pytest


def pytest_addoption(parser):
    parser.addoption("--per-file", type=int, default=0, help="tests of a file, evenly chosen; 0: all")


def pytest_collection_modifyitems(config, items):
    most = config.getoption("--per-file")
    if not most or len(items) <= most:
        return
    chosen = {round(i * (len(items) - 1) / max(1, most - 1)) for i in range(most)}
    config.hook.pytest_deselected(items=[item for i, item in enumerate(items) if i not in chosen])
    items[:] = [item for i, item in enumerate(items) if i in chosen]


@pytest.fixture(scope="class")
def initialize_from_pytest_config(request):
    """Numba's test classes ask for it; it is defined in their repository only, not in what is installed."""
    request.cls._dump_failed_filechecks = False
