"""The shape of the house, as far as import-linter does not hold it."""

import ast
import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {c["name"]: c for c in PYPROJECT["tool"]["importlinter"]["contracts"]}
MODULES = sorted([*(ROOT / "crypto").rglob("*.py"), *(ROOT / "idservice").rglob("*.py")])
FOLDERS = sorted({path.parent for path in MODULES})
OFFICES = sorted(path.parent.name for path in (ROOT / "idservice").glob("*/service.py"))
BARRED_NAMES = {"utils", "helpers", "common", "misc", "manager"}
LINES = 450
MODULES_A_FOLDER = 9


def names(layers: list[str]) -> set[str]:
    return {name.strip(" ()") for layer in layers for name in layer.split("|")}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_folder_stands_in_the_layers_of_its_package() -> None:
    inside = {
        "crypto": "inside crypto: formats over envelopes over encodings",
        "idservice": "the house, top to bottom",
    }
    for package, contract in inside.items():
        declared = names(CONTRACTS[contract]["layers"])
        found = {folder.name for folder in FOLDERS if folder.parent.name == package}
        assert found <= declared
        assert CONTRACTS[contract]["exhaustive"]


def test_every_office_stands_in_the_contracts_of_offices() -> None:
    office = CONTRACTS["every office: web over service over protocol and ports over model"]
    assert {f"idservice.{name}" for name in OFFICES} - {"idservice.auditor"} == set(
        office["containers"]
    )
    independent = CONTRACTS["offices do not know each other"]["modules"]
    assert {f"idservice.{name}" for name in OFFICES} <= set(independent)


def test_whoever_sees_a_resident_act_is_walled_off_from_the_issuer() -> None:
    wall = CONTRACTS["nobody who sees a resident act can look a resident up"]
    assert set(wall["source_modules"]) == {
        "idservice.verifier",
        "idservice.storage.verifier",
        "idservice.apps.verifier",
    }
    assert set(wall["forbidden_modules"]) == {"idservice.issuer", "idservice.storage.issuer"}


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_module_is_short_named_for_its_concept_and_says_what_it_is(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= LINES
    assert path.stem not in BARRED_NAMES
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    if path.name == "__init__.py":
        assert len(tree.body) == 1


def test_tests_and_benchmarks_are_no_longer_either() -> None:
    for package in ("tests", "benchmarks"):
        for path in (ROOT / package).rglob("*.py"):
            if "node_modules" not in path.parts:
                assert path.read_text().count("\n") <= LINES, relative(path)


@pytest.mark.parametrize("folder", FOLDERS, ids=relative)
def test_folder_holds_nine_modules_at_most(folder: Path) -> None:
    modules = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    if folder.name != "cli":
        assert len(modules) <= MODULES_A_FOLDER


def test_only_the_verification_core_makes_what_counts_as_verified() -> None:
    """Different trust, different type: nobody else may call the constructors."""
    owners = {
        "VerifiedClaims": "crypto/sdjwt/verify.py",
        "Accepted": "idservice/verification/",
        "SignedCheckpoint": "crypto/log/checkpoint.py",
        "Cosignature": "crypto/log/cosignature.py",
        "Witnessed": "crypto/log/cosignature.py",
        "Checked": "idservice/transparency/monitor.py",
    }
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else node.func
                name = called.id if isinstance(called, ast.Name) else called
                if name in owners:
                    assert relative(path).startswith(owners[name])


def test_the_names_crypto_and_idservice_are_ours() -> None:
    """Another distribution that installs `crypto` would shadow this one."""
    installed = metadata.packages_distributions()
    assert set(installed.get("crypto", ["idservice"])) == {"idservice"}
    assert set(installed.get("idservice", ["idservice"])) == {"idservice"}


@pytest.mark.attack("STORE-025")
def test_lock_files_carry_hashes_and_no_address() -> None:
    for lock in ROOT.glob("requirements*.lock"):
        text = lock.read_text()
        assert "--hash=sha256:" in text
        assert "://" not in text
        assert "index-url" not in text


@pytest.mark.attack("PRIV-023")
def test_environment_variables_are_the_databases_and_the_wallets() -> None:
    """No switch may exist that turns tracing on."""
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = node.value
                if re.fullmatch(r"IDSERVICE_[A-Z_]+", text):
                    found.add(text)
    assert found == {
        "IDSERVICE_DATABASE",
        "IDSERVICE_PENDING_DATABASE",
        "IDSERVICE_WALLET",
        "IDSERVICE_WALLET_PASSPHRASE",
    }
