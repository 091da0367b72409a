"""Versions of CANN are ordered as they were released, and found where it is installed."""

import itertools

import pytest

from x3d.ascend.cann import SET_ENV, CannVersion, find_set_env, find_toolkit, installed_version, package_version
from x3d.errors import InputError

INSTALL_INFO = """\
package_name=Ascend-cann-toolkit
version=8.1.RC1
innerversion=V100R001C21SPC001B238
compatible_version=[V100R001C15],[V100R001C18],[V100R001C19],[V100R001C20],[V100R001C21]
arch=aarch64
os=linux
path=/usr/local/Ascend/ascend-toolkit/8.1.RC1/aarch64-linux
"""
VERSION_CFG = """\
# version: 1.0
runtime_running_version=[7.7.T20.0.B210:8.1.RC1]
toolkit_running_version=[7.7.T20.0.B210:8.1.RC1]
runtime_upgrade_version=[7.7.T20.0.B210:8.1.RC1]
runtime_installed_version=[7.7.T9.0.B057:8.1.T6][7.7.T20.0.B210:8.1.RC1]
"""
ORDERED = [
    *("5.1.RC2", "6.0.RC1.alpha003", "6.0.RC1", "6.0.0", "6.0.1", "6.3.RC2", "7.0.RC1.alpha003", "7.0.RC1", "7.0.0"),
    *(
        "8.0.T6",
        "8.0.RC1.alpha001",
        "8.0.RC2.beta1",
        "8.0.RC2",
        "8.0.RC2.2",
        "8.0.RC10",
        "8.0.0.alpha001",
        "8.0.0.beta1",
    ),
    *("8.0.0", "8.0.1", "8.1.RC1", "8.5.0.alpha002", "8.5.0", "9.0.0-beta.1", "9.0.0.beta.2", "9.0.0", "9.1.0"),
    "10.0.RC1",
]


def test_order():
    versions = [CannVersion(text) for text in ORDERED]
    for earlier, later in itertools.combinations(versions, 2):
        assert earlier < later
        assert later > earlier
        assert earlier != later


def test_the_case_does_not_matter():
    assert CannVersion("8.0.rc3.beta1") == CannVersion("8.0.RC3.beta1")
    assert str(CannVersion("8.0.rc3.beta1")) == "8.0.rc3.beta1"


@pytest.mark.parametrize(
    "text",
    ["", "8", "8.0", "8.0.RC", "V100R001C21", "8.0.RC2_beta1", "8.0.RC2-beta", "9.0.0-rc.1", "8.0.RC2\n9", "latest"],
)
def test_what_is_no_version(text):
    with pytest.raises(InputError, match=r"a version such as 6.0.RC1, 7.0.0 or 8.0.RC2.beta1 is expected"):
        CannVersion(text)


@pytest.mark.parametrize("variable", ["ASCEND_TOOLKIT_HOME", "ASCEND_HOME_PATH"])
def test_the_version_of_the_environment_s_toolkit(variable, tmp_path):
    info = tmp_path / "latest" / "aarch64-linux" / "ascend_toolkit_install.info"
    info.parent.mkdir(parents=True)
    info.write_text(INSTALL_INFO)
    environment = {variable: str(tmp_path / "latest")}
    assert find_toolkit(environment, tmp_path) == tmp_path / "latest"
    assert str(installed_version(environment, tmp_path)) == "8.1.RC1"


@pytest.mark.parametrize("folder", ["ascend-toolkit/latest", "cann"])
def test_the_usual_folders(folder, tmp_path):
    (tmp_path / folder).mkdir(parents=True)
    (tmp_path / folder / "version.cfg").write_text(VERSION_CFG)
    assert str(installed_version({}, tmp_path)) == "8.1.RC1"


def test_the_info_of_the_toolkit_itself_comes_first(tmp_path):
    folder = tmp_path / "cann"
    folder.mkdir()
    (folder / "ascend_toolkit_install.info").write_text("version=9.1.0\n")
    (folder / "version.cfg").write_text(VERSION_CFG)
    assert str(installed_version({}, tmp_path)) == "9.1.0"


@pytest.mark.parametrize("text", ["", "version=\n", "version=newest\n", "\x00\xff"])
def test_an_unusable_file_is_no_version(text, tmp_path):
    (tmp_path / "cann").mkdir()
    (tmp_path / "cann" / "ascend_toolkit_install.info").write_text(text)
    assert installed_version({}, tmp_path) is None


def test_without_cann(tmp_path):
    environment = {"ASCEND_HOME_PATH": str(tmp_path / "removed")}
    assert find_toolkit(environment, tmp_path) is None
    assert installed_version(environment, tmp_path) is None
    assert find_set_env(environment, tmp_path) == SET_ENV


@pytest.mark.parametrize(
    ("toolkit", "set_env"),
    [
        ("ascend-toolkit/latest", "ascend-toolkit/set_env.sh"),
        ("cann", "cann/set_env.sh"),
        (None, "ascend-toolkit/set_env.sh"),
    ],
)
def test_set_env(toolkit, set_env, tmp_path):
    if toolkit:
        (tmp_path / toolkit).mkdir(parents=True)
    (tmp_path / set_env).parent.mkdir(exist_ok=True)
    (tmp_path / set_env).touch()
    assert find_set_env({}, tmp_path) == tmp_path / set_env


def test_driver_and_firmware(tmp_path):
    (tmp_path / "driver").mkdir()
    (tmp_path / "driver" / "version.info").write_text("Version=23.0.rc2\nascendhal_version=6.15.23\n")
    assert package_version("driver", tmp_path) == "23.0.rc2"
    assert package_version("firmware", tmp_path) is None
