"""Known vulnerabilities of the tested versions, as PyPI or OSV know them.

Fails where there is one that a newer version mends. Where neither service is in reach, it says so
and passes.
"""

import json
import subprocess
import sys

VERSIONS = "tests/constraints.txt"


def ask(service: str) -> list[dict]:
    """What pip-audit reports of each package; nothing where the service knows none of them."""
    command = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "-f", "json"]
    try:
        done = subprocess.run(
            [*command, "-s", service, "-r", VERSIONS], capture_output=True, text=True, timeout=300
        )
        packages = json.loads(done.stdout)["dependencies"]
    except (subprocess.TimeoutExpired, ValueError):  # it did not answer, or broke off
        return []
    return packages if any("skip_reason" not in package for package in packages) else []


def main() -> int:
    packages = ask("pypi") or ask("osv")
    if not packages:
        print("No advisory service is in reach: the dependencies were not audited.")
        return 0
    known = [package for package in packages if "skip_reason" not in package]
    found = [(package, hole) for package in known for hole in package["vulns"]]
    for package, hole in found:
        mended = ", ".join(hole["fix_versions"]) or "none"
        print(f"{package['name']} {package['version']}: {hole['id']}, mended in: {mended}")
    print(
        f"{len(known)} of {len(packages)} dependencies audited, {len(found)} known vulnerabilities."
    )
    return int(any(hole["fix_versions"] for _, hole in found))


if __name__ == "__main__":
    sys.exit(main())
