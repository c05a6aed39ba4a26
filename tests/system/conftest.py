"""Fixtures of the system tests: the sandbox, one internet per run, and appliances in it.

    /usr/bin/python3 -m pytest tests/system --board imx6ul-evk --board host

The run enters a private network sandbox by itself (tools/lab/sandbox.py). Servers start when the first test needs them and
serve every test after it; the appliance is restarted only when a test wants other settings or has harmed it. What a failed
test leaves behind (console, captures of both wires, the servers' logs, each cut to the time of the test) is in
build/test-logs/<test>/.
"""

import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from lab import appliance as appliances  # noqa: E402
from lab import internet as net  # noqa: E402
from lab import sandbox  # noqa: E402
from lab.capture import Captures  # noqa: E402

from exchange import Gateway  # noqa: E402

LOGS = ROOT / "build" / "test-logs"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--board", action="append", choices=sorted(appliances.BOARDS), help="board to test (repeatable; default: all built)")
    parser.addoption("--firmware", type=Path, help="the executable or image to run instead of the one in build/ (with one --board)")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "lab: needs no appliance; shows that the lab itself works")
    if config.option.collectonly or sandbox.inside():
        return
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture:
        capture.stop_global_capturing()
    try:
        code = sandbox.run_inside([sys.executable, "-m", "pytest", *config.invocation_params.args])
    except sandbox.SandboxError as error:
        pytest.exit(str(error), returncode=3)
    os._exit(code)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "board" in metafunc.fixturenames:
        metafunc.parametrize("board", _boards(metafunc.config), scope="session", indirect=True)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A board's own tests are left out only when other boards were asked for by name."""
    wanted = config.option.board
    return True if collection_path.name == "test_board_imx6ul.py" and wanted and "imx6ul-evk" not in wanted else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The lab's own tests come first: later the gateways hold streams with a real appliance.
    items.sort(key=lambda item: item.get_closest_marker("lab") is None)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    outcome = yield
    report = outcome.get_result()
    if report.failed and "evidence" in item.funcargs:
        folder = item.funcargs["evidence"].save()
        report.sections.append(("evidence", f"console, captures and logs: {folder}"))


@pytest.fixture(scope="session")
def work_folder():
    folder = Path(tempfile.mkdtemp(prefix="sallyport-system-tests-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def interrupt(_number: int, _frame) -> None:
    """What pytest takes as the end of the run, not as a failed test."""
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def internet(work_folder: Path):
    sandbox.set_up(interrupt)
    internet = net.Internet(work_folder)
    captures = work_folder / "captures"
    captures.mkdir()
    internet.captures = Captures(captures, captures)
    yield internet
    internet.stop()
    internet.captures.stop()


@pytest.fixture(scope="session")
def board(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def rack(board: str, internet, work_folder: Path, request: pytest.FixtureRequest):
    """Where appliances of one board run, one at a time."""
    rack = appliances.Rack(board, work_folder / board, request.config.option.firmware)
    yield rack
    rack.stop()


@pytest.fixture
def appliance(rack, internet, evidence):
    """A running appliance with the internet's settings; the one of the last test when it still is in order."""
    return rack.appliance(internet.settings())


class Evidence:
    """The logs and captures of one test."""

    def __init__(self, name: str, work_folder: Path, internet) -> None:
        self._folder = LOGS / re.sub(r"[^\w.-]+", "_", name).strip("_")
        self._work_folder = work_folder
        self._internet = internet
        self.since = time.time()
        self._offsets = {path: path.stat().st_size for path in self._logs()}

    def frames(self, side: str) -> list[bytes]:
        return self._internet.captures.frames(side, self.since)

    def save(self) -> Path:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        for path in self._logs():
            with open(path, "rb") as log:
                log.seek(self._offsets.get(path, 0))
                text = log.read()
            if text:
                (self._folder / "-".join(path.relative_to(self._work_folder).parts)).write_bytes(text)
        self._internet.captures.save(self._folder, self.since)
        return self._folder.relative_to(ROOT)

    def _logs(self) -> list[Path]:
        return [path for path in self._work_folder.rglob("*.log") if "captures" not in path.parts and "mnesia" not in path.parts]


@pytest.fixture
def evidence(request: pytest.FixtureRequest, internet, work_folder: Path) -> Evidence:
    return Evidence(request.node.name, work_folder, internet)


@pytest.fixture(autouse=True)
def _evidence_of_every_test(evidence):
    yield


def _boards(config: pytest.Config) -> list[str]:
    if config.option.board:
        return config.option.board
    built = [name for name, board in appliances.BOARDS.items() if board.firmware().exists()]
    return built or sorted(appliances.BOARDS)


@pytest.fixture(params=["pair", "trunk"])
def gateway(request: pytest.FixtureRequest, appliance, internet):
    """The gateway's Prosody in each mode."""
    if request.param == "pair":
        return Gateway("pair", net.CORP, internet.pair_gateway)
    return Gateway("trunk", net.BRANCH, internet.trunk_gateway)


@pytest.fixture
def pair_gateway(appliance, internet):
    return Gateway("pair", net.CORP, internet.pair_gateway)
