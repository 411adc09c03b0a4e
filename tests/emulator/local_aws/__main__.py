"""`python -m local_aws --port P`: serve until SIGTERM or SIGINT."""

from __future__ import annotations

import argparse
import ipaddress
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path


def _loopback(text: str) -> str:
    if not ipaddress.ip_address(text).is_loopback:
        raise argparse.ArgumentTypeError(f"{text} is not a loopback address")
    return text


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="local_aws", description="A strict local AWS.")
    parser.add_argument("--host", default="127.0.0.1", type=_loopback)
    parser.add_argument("--port", required=True, type=int, help="0: any free one")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument(
        "--time-scale",
        type=float,
        default=1.0,
        metavar="N",
        help="AWS durations divided by N",
    )
    pace.add_argument("--no-waits", action="store_true", help="nothing takes any time")
    parser.add_argument("--control-plane-only", action="store_true", help="run no processes")
    parser.add_argument(
        "--state-dir",
        type=Path,
        help="for the data plane's files (default: a temporary one)",
    )
    parser.add_argument(
        "--subnet",
        type=ipaddress.ip_network,
        default=ipaddress.ip_network("127.0.64.0/18"),
        help="loopback range the data plane takes its addresses from",
    )
    args = parser.parse_args()
    if not args.subnet.is_loopback:
        parser.error(f"{args.subnet} is not a loopback range")
    if args.time_scale <= 0:
        parser.error("--time-scale must be above 0 (or use --no-waits)")
    return args


def _configure_moto() -> None:
    """moto reads these when it is imported."""
    os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")
    os.environ.setdefault("MOTO_ALLOW_NONEXISTENT_REGION", "true")
    # An object on disk would share its file with the copies that `POST /_local/fork` makes.
    os.environ.setdefault("MOTO_S3_DEFAULT_KEY_BUFFER_SIZE", str(256 << 20))
    # Path style only: a bucket is never taken from the host name.
    os.environ.setdefault("S3_IGNORE_SUBDOMAIN_BUCKETNAME", "true")


def main() -> int:
    args = _arguments()
    _configure_moto()
    from . import clock, server
    from .app import LocalAws

    clock.configure(0 if args.no_waits else args.time_scale)
    temporary = args.state_dir is None
    if temporary:
        args.state_dir = Path(tempfile.mkdtemp(prefix="local-aws-"))
    args.state_dir = args.state_dir.resolve()
    args.state_dir.mkdir(parents=True, exist_ok=True)

    app = LocalAws(args)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: app.ending.set())
    listener = server.listen(args.host, args.port, app)
    # The data plane tells its instances where this is, so the port is known before it starts.
    args.port = listener.port
    try:
        app.start()
        print(f"local AWS ready on {server.serve(listener, app)}", flush=True)
        app.ending.wait()
    finally:
        app.stop()
        listener.server_close()
        if temporary:
            shutil.rmtree(args.state_dir, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
