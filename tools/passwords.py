"""Write the password files that docker-compose.yml names; files that exist are left as they are."""

import re
import secrets
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    folder = ROOT / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    for name in re.findall(r"file: \./secrets/(\w+)", (ROOT / "docker-compose.yml").read_text()):
        file = folder / name
        if not file.exists():
            file.write_text(secrets.token_urlsafe(32))
            # Read inside the containers by their own users; outside, the folder keeps everybody else out.
            file.chmod(0o444)
            print(f"wrote secrets/{name}")


if __name__ == "__main__":
    main()
