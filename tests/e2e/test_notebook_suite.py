"""The public suite for Jupyter kernels, with everything in it that is optional."""

from __future__ import annotations

from collections.abc import Iterator

import jupyter_kernel_test
import pytest

from tests.e2e import notebooks

pytestmark = [
    pytest.mark.engine,
    # A client of the suite may be gone before the thread that is its heartbeat has begun.
    pytest.mark.filterwarnings("ignore:Exception in thread:pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with notebooks.installed(tmp_path_factory.mktemp("jupyter"), environment=notebooks.ENVIRONMENT):
        yield


class TestKernel(jupyter_kernel_test.KernelTests):  # type: ignore[misc] # it is not typed
    kernel_name = "sandlot"
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('oh', file=sys.stderr)"
    completion_samples = [{"text": "zi", "matches": {"zip"}}, {"text": "import pprin", "matches": {"pprint"}}]  # noqa: RUF012
    complete_code_samples = ["1", "def f(x):\n    return x\n\n"]  # noqa: RUF012
    incomplete_code_samples = ["def f(x):", "print('''hello"]  # noqa: RUF012
    invalid_code_samples = ["import = 7q", "1 +* 2"]  # noqa: RUF012
    code_page_something = "zip?"
    code_generate_error = "raise ValueError('no')"
    code_execute_result = [{"code": "6*7", "result": "42"}, {"code": "'a'", "result": "'a'"}]  # noqa: RUF012
    code_display_data = [  # noqa: RUF012
        {"code": "from IPython.display import HTML, display; display(HTML('<b>x</b>'))", "mime": "text/html"},
        {"code": "from IPython.display import Math, display; display(Math('x'))", "mime": "text/latex"},
    ]
    code_history_pattern = "6?7*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"


class TestWelcome(jupyter_kernel_test.IopubWelcomeTests):  # type: ignore[misc] # as above
    kernel_name = "sandlot"
    support_iopub_welcome = True


@pytest.mark.parametrize("ours", [TestKernel, TestWelcome])
def test_nothing_of_the_suite_is_left_out(ours: type) -> None:
    told = vars(ours.__mro__[1])
    optional = [name for name, value in told.items() if not name.startswith("_") and not callable(value)]
    assert len(optional) > 1
    assert not [name for name in optional if not getattr(ours, name)]
