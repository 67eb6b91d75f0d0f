"""Create or update `.venv` from the hashed requirement sets; nothing is done when it is up to date.

Runs on a bare Python before anything is installed, so it uses the standard library only.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tomllib
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
HINTS = (
    "Without a network the first set-up cannot work. "
    "On Debian and Ubuntu, Python's venv module is in the package python3-venv."
)
SETS: dict[str, tuple[str, ...]] = {
    "demo": ("build", "runtime", "devnet"),
    "dev": ("build", "runtime", "devnet", "dev"),
}


def requirement_files(profile: str) -> list[Path]:
    """Return the compiled requirement files that a profile installs."""
    return [ROOT / "requirements" / f"{name}.txt" for name in SETS[profile]]


def fingerprint(profile: str) -> str:
    """Return a digest of all that decides what the environment contains."""
    digest = hashlib.sha256(sys.version.encode())
    for path in requirement_files(profile):
        digest.update(path.read_bytes())
    # Only these tables reach the installed package; a changed lint rule must not reinstall it.
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packaging = [settings["build-system"], settings["project"], settings["tool"]["setuptools"]]
    digest.update(json.dumps(packaging, sort_keys=True).encode())
    return digest.hexdigest()


def stamp(profile: str) -> Path:
    """Return the file that remembers which fingerprint is installed."""
    return VENV / f".installed-{profile}"


def is_current(profile: str) -> bool:
    """Tell whether the environment already holds this profile."""
    path = stamp(profile)
    return path.is_file() and path.read_text() == fingerprint(profile)


def pip(*arguments: str) -> None:
    """Run the environment's pip with its output on stderr, so stdout stays the program's."""
    command = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    environment_flags = ["--disable-pip-version-check", "--no-input"]
    subprocess.run([*command, *environment_flags, *arguments], check=True, stdout=sys.stderr)  # noqa: S603 - fixed program, arguments from this file


def install(profile: str) -> None:
    """Install a profile's pins by hash, then the project itself in place."""
    if not (VENV / "bin" / "pip").exists():
        venv.create(VENV, with_pip=True, clear=True)
    for known in SETS:
        stamp(known).unlink(missing_ok=True)
    pins = [f"--requirement={path}" for path in requirement_files(profile)]
    # Wheels only: a source build would run code whose build requirements nobody pinned.
    pip("--require-hashes", "--only-binary=:all:", *pins)
    pip("--no-deps", "--no-build-isolation", f"--editable={ROOT}")
    for known, names in SETS.items():
        if set(names) <= set(SETS[profile]):
            stamp(known).write_text(fingerprint(known))


def main(argv: Sequence[str]) -> int:
    """Bring the environment up to date; return the process exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", choices=sorted(SETS))
    profile: str = parser.parse_args(argv).profile
    if is_current(profile):
        return 0
    sys.stderr.write(f"Installing the {profile} environment into {VENV.name} ...\n")
    try:
        install(profile)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"{error}\nSetting up {VENV.name} failed; see above. {HINTS}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
